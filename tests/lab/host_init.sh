# First process of a lab host: makes the host's file tree, then waits as its init.
#
# Runs as pid 1 of new mount, uts, ipc, pid and cgroup namespaces inside the host's network namespace. Everything that the
# host has is in these namespaces: when this process dies, all of it is gone, as by a power cut.
#
# HOST_NAME; ROOT: the host's root directory; RUN: the directory for its /run; DATA: its persistent engine data;
# LAYER: directory whose usr/ lies over the machine's, or empty; DISK: image file for a small disk of its own, or empty; MEMINFO: file for its /proc/meminfo, or empty; CGROUPS: "directory|type|options" words; WRAP_RUNC: yes or no.
set -eu
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"

if [ -n "$LAYER" ]; then
    mount -t overlay -o "ro,lowerdir=$LAYER/usr:/usr" overlay usr
else
    mount --bind /usr usr
    mount -o remount,bind,ro usr
fi
for directory in bin sbin lib lib32 lib64 libx32; do
    if [ -d "$directory" ] && [ ! -L "$directory" ]; then # a machine without merged /usr
        mount --bind "/$directory" "$directory"
        mount -o remount,bind,ro "$directory"
    fi
done
mount --bind "$RUN" run
mount --bind "$DATA/etc-docker" etc/docker
if [ -n "$DISK" ]; then
    mount -o loop "$DISK" var/lib/docker
else
    mount --bind "$DATA/docker" var/lib/docker
fi
mount --bind "$DATA/containerd" var/lib/containerd

mount -t proc proc proc
if [ -n "$MEMINFO" ]; then mount --bind "$MEMINFO" proc/meminfo; fi
mount -t sysfs sysfs sys
# What a machine gives everybody, and what file systems and networks in user space need; none of this one's disks.
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/mqueue dev/net
for node in null zero full random urandom tty fuse net/tun; do
    [ ! -e "/dev/$node" ] || cp -a "/dev/$node" "dev/$node"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t mqueue mqueue dev/mqueue || echo "this host has no message queues"

case "$CGROUPS" in
.\|*) ;;
*) mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup ;;
esac
for spec in $CGROUPS; do
    directory=${spec%%|*}
    rest=${spec#*|}
    mkdir -p "sys/fs/cgroup/$directory"
    case "$rest" in
    cgroup2\|*)
        place="sys/fs/cgroup/$directory"
        mount -t cgroup2 cgroup2 "$place"
        for controller in $(cat "$place/cgroup.controllers"); do
            echo "+$controller" >"$place/cgroup.subtree_control" || echo "this host has no $controller controller"
        done
        ;;
    *) mount -t cgroup -o "${rest#*|}" cgroup "sys/fs/cgroup/$directory" ;;
    esac
done

if [ "$WRAP_RUNC" = yes ]; then
    runc=usr/sbin/runc
    [ -e "$runc" ] || runc=usr/bin/runc
    # A copy, not a mount: runc 1.3 starts itself anew from an overlay of its directory, in which a mount does not show.
    cp "$runc" opt/lab/runc.real
    chmod 755 opt/lab/runc.real
    mount --bind opt/lab/runc "$runc"
fi

hostname "$HOST_NAME"
ip link set lo up
pivot_root . .old
cd /
umount -l /.old
echo up >/run/lab-ready
exec docker-init -- sleep infinity
