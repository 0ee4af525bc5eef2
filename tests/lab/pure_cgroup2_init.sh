#!/bin/sh
# The first process of the virtual machine of pure_cgroup2.py: this machine's own files, read-only, below a file system
# of its own; version 2 of control groups, and nothing of version 1. It runs one command and says how it ended.
#
# On its kernel's command line, each as NAME=VALUE: MODULES (a folder of kernel modules), SHARED (a folder of the machine
# that may be written: `command` is read from it, `code` written into it), ENGINES (where the lab keeps its engines).
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8

# Turned on its head the file system of the machine is what lies below: `pivot_root` comes back here.
if [ "${1:-}" != again ]; then
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    busybox insmod "$MODULES/kernel/fs/overlayfs/overlay.ko" || exit 1
    mount -t ext4 /dev/ubda /mnt && mkdir -p /mnt/upper /mnt/work /mnt/root || exit 1
    mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root || exit 1
    mkdir -p "/mnt/root/$SHARED" /mnt/root/below
    mount -t hostfs hostfs -o "$SHARED" "/mnt/root/$SHARED" || exit 1
    mount --move /dev /mnt/root/dev
    cd /mnt/root && pivot_root . below || exit 1
    exec chroot . "$0" again
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm /run/lock /run/sshd
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rprivate /
# Nothing that an engine writes may lie on an overlay: its own would not go on top. The labs of the machine stay behind.
mkdir -p /below/mnt/labs /var/lib/berth-lab
mount --bind /below/mnt/labs /var/lib/berth-lab
mkdir -p "$ENGINES"
mount --bind "/below$ENGINES" "$ENGINES"
ip link set lo up
hostname pure-cgroup2

# The kernel asks for its modules by this program.
mkdir -p /lib/modules
ln -sfn "$MODULES" "/lib/modules/$(uname -r)"
printf '#!/bin/sh\nexec /bin/busybox modprobe "$@"\n' >/opt/modprobe
chmod 755 /opt/modprobe
echo /opt/modprobe >/proc/sys/kernel/modprobe
for module in veth bridge br_netfilter tun ip_tables iptable_nat iptable_filter iptable_mangle xt_MASQUERADE xt_conntrack xt_addrtype \
    xt_comment xt_mark xt_multiport xt_nat xt_tcpudp nf_conntrack; do
    /bin/busybox modprobe "$module" || echo "pure_cgroup2: no module $module"
done
# This kernel has no nf_tables for iptables.
for name in iptables ip6tables; do
    ln -sfn "/usr/sbin/$name-legacy" "/etc/alternatives/$name"
    ln -sfn "/usr/sbin/$name-legacy-save" "/etc/alternatives/$name-save"
    ln -sfn "/usr/sbin/$name-legacy-restore" "/etc/alternatives/$name-restore"
done

echo "pure_cgroup2: controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
sh "$SHARED/command"
echo $? >"$SHARED/code"
sync
exec busybox poweroff -f
