"""Volumes of a pod: one struct a source, as in the core/v1 API. No behaviour here."""

from __future__ import annotations

from msgspec import field

from objects.api.meta import (
    KubeStruct,
    LabelSelector,
    LocalObjectReference,
    ObjectMeta,
    ObjectReference,
    QuantityLike,
    ResourceList,
    SecretReference,
    TypedLocalObjectReference,
    TypedObjectReference,
)


class KeyToPath(KubeStruct):
    key: str
    path: str
    mode: int | None = None


class EmptyDirVolumeSource(KubeStruct):
    medium: str = ""
    size_limit: QuantityLike | None = None


class HostPathVolumeSource(KubeStruct):
    path: str
    type: str = ""


class ConfigMapVolumeSource(KubeStruct):
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool | None = None


class SecretVolumeSource(KubeStruct):
    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool | None = None


class ObjectFieldSelector(KubeStruct):
    field_path: str
    api_version: str = ""


class ResourceFieldSelector(KubeStruct):
    resource: str
    container_name: str = ""
    divisor: QuantityLike | None = None


class DownwardAPIVolumeFile(KubeStruct):
    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class DownwardAPIVolumeSource(KubeStruct):
    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: int | None = None


class SecretProjection(KubeStruct):
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class ConfigMapProjection(KubeStruct):
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class DownwardAPIProjection(KubeStruct):
    items: tuple[DownwardAPIVolumeFile, ...] = ()


class ServiceAccountTokenProjection(KubeStruct):
    path: str
    audience: str = ""
    expiration_seconds: int | None = None


class ClusterTrustBundleProjection(KubeStruct):
    path: str
    name: str | None = None
    signer_name: str | None = None
    label_selector: LabelSelector | None = None
    optional: bool | None = None


class PodCertificateProjection(KubeStruct):
    signer_name: str = ""
    key_type: str = ""
    max_expiration_seconds: int | None = None
    credential_bundle_path: str = ""
    key_path: str = ""
    certificate_chain_path: str = ""
    user_annotations: dict[str, str] = {}


class VolumeProjection(KubeStruct):
    secret: SecretProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = field(default=None, name="downwardAPI")
    service_account_token: ServiceAccountTokenProjection | None = None
    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    pod_certificate: PodCertificateProjection | None = None


class ProjectedVolumeSource(KubeStruct):
    sources: tuple[VolumeProjection, ...] = ()
    default_mode: int | None = None


class PersistentVolumeClaimVolumeSource(KubeStruct):
    claim_name: str
    read_only: bool = False


class NFSVolumeSource(KubeStruct):
    server: str
    path: str
    read_only: bool = False


class ISCSIVolumeSource(KubeStruct):
    target_portal: str
    iqn: str
    lun: int = 0
    portals: tuple[str, ...] = ()
    iscsi_interface: str = ""
    fs_type: str = ""
    read_only: bool = False
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    secret_ref: LocalObjectReference | None = None
    initiator_name: str | None = None


class RBDVolumeSource(KubeStruct):
    monitors: tuple[str, ...] = ()
    image: str = ""
    pool: str = ""
    user: str = ""
    keyring: str = ""
    secret_ref: LocalObjectReference | None = None
    fs_type: str = ""
    read_only: bool = False


class CephFSVolumeSource(KubeStruct):
    monitors: tuple[str, ...] = ()
    path: str = ""
    user: str = ""
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False


class FlexVolumeSource(KubeStruct):
    driver: str
    fs_type: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    options: dict[str, str] = {}


class GCEPersistentDiskVolumeSource(KubeStruct):
    pd_name: str
    fs_type: str = ""
    partition: int = 0
    read_only: bool = False


class AWSElasticBlockStoreVolumeSource(KubeStruct):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    partition: int = 0
    read_only: bool = False


class AzureDiskVolumeSource(KubeStruct):
    disk_name: str = ""
    disk_uri: str = field(default="", name="diskURI")
    caching_mode: str | None = None
    fs_type: str | None = None
    read_only: bool | None = None
    kind: str | None = None


class AzureFileVolumeSource(KubeStruct):
    secret_name: str = ""
    share_name: str = ""
    read_only: bool = False


class CinderVolumeSource(KubeStruct):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FCVolumeSource(KubeStruct):
    target_wwns: tuple[str, ...] = field(default=(), name="targetWWNs")
    lun: int | None = None
    fs_type: str = ""
    read_only: bool = False
    wwids: tuple[str, ...] = ()


class GlusterfsVolumeSource(KubeStruct):
    endpoints: str
    path: str
    read_only: bool = False


class VsphereVirtualDiskVolumeSource(KubeStruct):
    volume_path: str
    fs_type: str = ""
    storage_policy_name: str = ""
    storage_policy_id: str = field(default="", name="storagePolicyID")


class FlockerVolumeSource(KubeStruct):
    dataset_name: str = ""
    dataset_uuid: str = field(default="", name="datasetUUID")


class PhotonPersistentDiskVolumeSource(KubeStruct):
    pd_id: str = field(name="pdID")
    fs_type: str = ""


class PortworxVolumeSource(KubeStruct):
    volume_id: str = field(name="volumeID")
    fs_type: str = ""
    read_only: bool = False


class QuobyteVolumeSource(KubeStruct):
    registry: str
    volume: str
    read_only: bool = False
    user: str = ""
    group: str = ""
    tenant: str = ""


class ScaleIOVolumeSource(KubeStruct):
    gateway: str
    system: str
    secret_ref: SecretReference | None = None
    """In a PersistentVolume it may name a namespace too."""
    ssl_enabled: bool = False
    protection_domain: str = ""
    storage_pool: str = ""
    storage_mode: str = ""
    volume_name: str = ""
    fs_type: str = ""
    read_only: bool = False


class StorageOSVolumeSource(KubeStruct):
    volume_name: str = ""
    volume_namespace: str = ""
    fs_type: str = ""
    read_only: bool = False
    secret_ref: ObjectReference | None = None


class GitRepoVolumeSource(KubeStruct):
    repository: str
    revision: str = ""
    directory: str = ""


class CSIVolumeSource(KubeStruct):
    driver: str
    read_only: bool | None = None
    fs_type: str | None = None
    volume_attributes: dict[str, str] = {}
    node_publish_secret_ref: LocalObjectReference | None = None


class ImageVolumeSource(KubeStruct):
    reference: str = ""
    pull_policy: str = ""


class VolumeResourceRequirements(KubeStruct):
    requests: ResourceList = {}
    limits: ResourceList = {}


class PersistentVolumeClaimSpec(KubeStruct):
    access_modes: tuple[str, ...] = ()
    resources: VolumeResourceRequirements = VolumeResourceRequirements()
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_mode: str | None = None
    volume_name: str = ""
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaimTemplate(KubeStruct):
    metadata: ObjectMeta = ObjectMeta()
    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()


class EphemeralVolumeSource(KubeStruct):
    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class Volume(KubeStruct):
    """A named volume of a pod; exactly one source is set (none means emptyDir, as the API server defaults it)."""

    name: str
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = field(default=None, name="downwardAPI")
    projected: ProjectedVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    image: ImageVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    fc: FCVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = field(default=None, name="scaleIO")
    storageos: StorageOSVolumeSource | None = None
