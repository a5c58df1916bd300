// Keys of systemd and of Podman that husk does not take: by reason, with what to write instead.
//
// Those that a machine may drop are without effect here, or what they ask for holds anyway. Where
// leaving a key out would change what the unit does, a person decides.
#include "config/keys.h"

namespace husk::config {
namespace {

constexpr char kDrop[] = "";

constexpr char kOwnRoot[] = "the container has a root of its own; leave it out";
constexpr char kConfined[] = "every container is confined so without it; leave it out";
constexpr char kNoSystemd[] = "it tells systemd what husk has no use for; leave it out";
constexpr char kNoEngine[] = "there is no Podman here; every setting has a key of its own";
constexpr char kAccounting[] = "resources are always counted; leave it out";
constexpr char kCgroupOne[] = "it is of cgroup v1, and cgroup v2 has keys of its own";
constexpr char kOldName[] = "it is an old name";

constexpr Refused kUnitSection[] = {
    {"DefaultDependencies", "units depend on nothing but what they name; leave it out", kDrop},
    {"CollectMode RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate StopWhenUnneeded "
     "SurviveFinalKillSignal",
     kNoSystemd},
    {"SourcePath JobRunningTimeoutSec OnFailureJobMode OnSuccessJobMode DebugInvocation",
     kNoSystemd, kDrop},
    {"RequiresMountsFor WantsMountsFor",
     "file systems are mounted before units start; leave it out", kDrop},
    {"Requisite", "write Requires= and After="},
    {"Upholds", "write Wants= here, and Restart=always in the other unit"},
    {"PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom",
     "write PartOf= in the other unit"},
    {"JoinsNamespaceOf", "write Network=NAME.container in [Container]"},
    {"JobTimeoutAction JobTimeoutRebootArgument RebootArgument FailureActionExitStatus "
     "SuccessActionExitStatus",
     "there is nothing to set about it"},
    {"ConditionVirtualization ConditionHost ConditionCapability ConditionSecurity ConditionACPower "
     "ConditionNeedsUpdate ConditionControlGroupController ConditionEnvironment ConditionMemory "
     "ConditionCPUs ConditionCPUFeature ConditionOSRelease ConditionKernelVersion ConditionUser "
     "ConditionGroup ConditionCredential ConditionFirmware ConditionVersion ConditionPSI "
     "ConditionPathIsDirectory ConditionPathIsSymbolicLink ConditionPathIsMountPoint "
     "ConditionPathIsReadWrite ConditionPathIsEncrypted ConditionPathExistsGlob "
     "ConditionDirectoryNotEmpty ConditionFileNotEmpty ConditionFileIsExecutable "
     "ConditionMemoryPressure ConditionCPUPressure ConditionIOPressure",
     "the conditions are ConditionPathExists=, ConditionKernelCommandLine=, ConditionArchitecture= "
     "and ConditionFirstBoot="},
    {"AssertPathIsDirectory AssertFileNotEmpty AssertFileIsExecutable AssertPathIsMountPoint "
     "AssertKernelCommandLine AssertArchitecture AssertDirectoryNotEmpty AssertVirtualization",
     "the only assertion is AssertPathExists="},
    {"StartLimitInterval", kOldName, "Unit.StartLimitIntervalSec"},
    {"BindTo", kOldName, "Unit.BindsTo"},
};

constexpr Refused kContainerSection[] = {
    {"PodmanArgs GlobalArgs ContainersConfModule", kNoEngine},
    {"AutoUpdate Pull Retry RetryDelay",
     "nothing is pulled from a registry; Image= means a file on the device", kDrop},
    {"SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested "
     "SecurityLabelType",
     "husk confines by namespaces, capabilities and seccomp, not by SELinux labels", kDrop},
    {"AppArmor", "husk confines by namespaces, capabilities and seccomp, not by AppArmor profiles"},
    {"Pod StartWithPod", "there are no pods yet: Network=NAME.container shares a unit's network"},
    {"VolatileTmp", "ReadOnlyTmpfs=yes, the default, gives a tmpfs on /tmp; leave it out", kDrop},
    {"RemapUsers RemapUid RemapGid RemapUidSize SubUIDMap SubGIDMap",
     "UserNS=auto, the default, gives each unit a range of ids of its own"},
    {"ExposeHostPort", "it publishes nothing by itself; PublishPort= does", kDrop},
    {"HttpProxy", "no proxy is passed on; Environment=http_proxy= says one"},
    {"CgroupsMode", "each container has a cgroup of its own; leave it out", kDrop},
    {"HealthLogDestination HealthMaxLogCount HealthMaxLogSize",
     "what checks say stands in the unit's log; leave it out", kDrop},
    {"ServiceName", "a unit is named after its file; leave it out", kDrop},
    {"PidFile", "the main process is known without one; leave it out", kDrop},
};

constexpr Refused kServiceSection[] = {
    {"ExecStart", "write Exec= in [Container]", "Container.Exec"},
    {"PIDFile GuessMainPID", "the main process is known without one; leave it out", kDrop},
    {"BusName", "there is no message bus; leave it out", kDrop},
    {"WorkingDirectory", "write WorkingDir= in [Container]"},
    {"SupplementaryGroups", "write GroupAdd= in [Container]"},
    {"AmbientCapabilities CapabilityBoundingSet",
     "write AddCapability= in [Container]: a container has the capabilities that are named there, "
     "and no others"},
    {"UnsetEnvironment PassEnvironment",
     "a container has only the variables of Environment= in [Container]"},
    {"DynamicUser", "UserNS=auto, the default, gives each unit ids of its own; leave it out",
     kDrop},
    {"RootDirectory RootDirectoryStartOnly MountAPIVFS", "write Rootfs= in [Container]"},
    {"RootImage RootHash RootHashSignature RootVerity RootImageOptions RootEphemeral RootMStack "
     "RootImagePolicy MountImages ExtensionImages ExtensionDirectories MountImagePolicy "
     "ExtensionImagePolicy",
     "write Image= in [Container]"},
    {"BindPaths BindReadOnlyPaths", "write Volume=SOURCE:DEST[:ro] in [Container]"},
    {"TemporaryFileSystem", "write Tmpfs= in [Container]"},
    {"ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths ReadWriteDirectories "
     "ReadOnlyDirectories InaccessibleDirectories",
     "what the container sees is said by Volume=, Tmpfs= and Mask= in [Container]"},
    {"ProtectSystem ProtectHome PrivateTmp", kOwnRoot, kDrop},
    {"PrivateDevices ProtectKernelTunables ProtectKernelModules ProtectKernelLogs "
     "ProtectControlGroups ProtectProc ProcSubset ProtectClock RestrictSUIDSGID "
     "LockPersonality RestrictNamespaces RemoveIPC KeyringMode PrivateUsers PrivateUsersEx "
     "SecureBits MountFlags PrivateBPF DelegateSubgroup",
     kConfined, kDrop},
    {"RestrictRealtime RestrictAddressFamilies MemoryDenyWriteExecute RestrictFileSystems "
     "SystemCallLog Personality IgnoreSIGPIPE CoredumpFilter",
     "it is not supported; the seccomp filter and the namespaces hold without it"},
    {"PrivateNetwork NetworkNamespacePath IPCNamespacePath UserNamespacePath",
     "a container has a network of its own; Network= in [Container] says another"},
    {"SELinuxContext AppArmorProfile SmackProcessLabel PAMName",
     "husk confines by namespaces, capabilities and seccomp, not by labels"},
    {"StandardInput StandardInputText StandardInputData TTYPath TTYReset TTYVHangup "
     "TTYVTDisallocate TTYRows TTYColumns UtmpIdentifier UtmpMode",
     "a container reads nothing from a terminal; leave it out"},
    {"SyslogFacility SyslogLevel SyslogLevelPrefix LogLevelMax LogExtraFields LogNamespace "
     "LogFilterPatterns",
     "output is kept in husk's own log as it is; leave it out", kDrop},
    {"Slice DisableControllers", "units are grouped by no slices; leave it out", kDrop},
    {"CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting",
     kAccounting, kDrop},
    {"MemoryLimit", kCgroupOne, "Service.MemoryMax"},
    {"CPUShares StartupCPUShares BlockIOWeight StartupBlockIOWeight BlockIODeviceWeight "
     "BlockIOReadBandwidth BlockIOWriteBandwidth",
     kCgroupOne},
    {"StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow StartupMemoryMax "
     "StartupMemorySwapMax StartupMemoryZSwapMax StartupAllowedCPUs StartupAllowedMemoryNodes",
     "limits are the same during boot; write the key without Startup"},
    {"IODeviceWeight IODeviceLatencyTargetSec DefaultMemoryMin DefaultMemoryLow "
     "DefaultStartupMemoryLow MemoryZSwapWriteback CPUPressureThresholdSec",
     "it is not supported"},
    {"ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit "
     "ManagedOOMPreference MemoryPressureWatch MemoryPressureThresholdSec",
     "MemoryHigh= and MemoryMax= say when memory is short"},
    {"IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath BPFProgram "
     "SocketBindAllow "
     "SocketBindDeny RestrictNetworkInterfaces NFTSet",
     "networks are kept apart by Network= in [Container]"},
    {"CPUAffinity NUMAPolicy NUMAMask", "write AllowedCPUs= or AllowedMemoryNodes="},
    {"CPUSchedulingResetOnFork IOSchedulingPriority TimerSlackNSec", "it is not supported"},
    {"LoadCredentialEncrypted SetCredentialEncrypted ImportCredential",
     "write LoadCredential= or SetCredential="},
    {"ConfigurationDirectory ConfigurationDirectoryMode", "write Volume= in [Container]"},
    {"RuntimeDirectoryPreserve", "RuntimeDirectory= is kept over a restart, and goes at a stop"},
    {"TimeoutCleanSec TimeoutStartFailureMode TimeoutStopFailureMode RuntimeRandomizedExtraSec "
     "NonBlocking PermissionsStartOnly Sockets FileDescriptorStoreMax FileDescriptorStorePreserve "
     "USBFunctionDescriptors USBFunctionStrings OpenFile",
     "it is not supported"},
    {"TimeoutSec", "write TimeoutStartSec= and TimeoutStopSec="},
    {"ExitType", "a unit ends with its main process; leave it out"},
    {"RestartDelaySec", kOldName, "Service.RestartSec"},
    {"OOMScore", kOldName, "Service.OOMScoreAdjust"},
    {"CoredumpReceive LogsDirectorySymlink", kNoSystemd, kDrop},
};

constexpr Refused kTimerSection[] = {
    {"OnActiveSec OnStartupSec", "write OnBootSec="},
    {"Unit", "a timer starts the unit of its own file; leave it out"},
    {"AccuracySec OnClockChange OnTimezoneChange WakeSystem RemainAfterElapse FixedRandomDelay "
     "RandomizedOffsetSec DeferReactivation",
     "timers run to the moment and follow the clock; leave it out"},
};

constexpr Refused kSocketSection[] = {
    {"Accept", "the unit is started once and accepts by itself: Accept=no; leave it out"},
    {"Service", "a socket starts the unit of its own file; leave it out"},
    {"ListenSequentialPacket ListenSpecial ListenNetlink ListenMessageQueue ListenUSBFunction "
     "SocketProtocol",
     "the sockets are ListenStream=, ListenDatagram= and ListenFIFO="},
    {"SocketUser SocketGroup DirectoryMode Backlog BindIPv6Only BindToDevice FreeBind KeepAlive "
     "KeepAliveTimeSec KeepAliveIntervalSec KeepAliveProbes Mark MaxConnections "
     "MaxConnectionsPerSource NoDelay PassCredentials PassPacketInfo PassSecurity PipeSize "
     "Priority "
     "ReceiveBuffer SendBuffer RemoveOnStop ReusePort Symlinks TCPCongestion TimeoutSec "
     "Transparent "
     "TriggerLimitBurst TriggerLimitIntervalSec Writable DeferAcceptSec ExecStopPre FlushPending "
     "IPTOS IPTTL MessageQueueMaxMessages MessageQueueMessageSize PollLimitBurst "
     "PollLimitIntervalSec Timestamping",
     "it is not supported"},
};

constexpr Refused kInstallSection[] = {
    {"RequiredBy UpheldBy", "write Requires= or Wants= in the other unit"},
    {"Alias", "a unit has one name, that of its file; leave it out", kDrop},
    {"Also", "each unit is enabled by its own file; leave it out", kDrop},
    {"DefaultInstance", "write a file or a link NAME@ARG.container"},
};

constexpr Refused kQuadletSection[] = {
    {"DefaultDependencies", "units depend on nothing but what they name; leave it out", kDrop},
};

}  // namespace

std::span<const Refused> UnitSectionRefused() { return kUnitSection; }
std::span<const Refused> ContainerSectionRefused() { return kContainerSection; }
std::span<const Refused> ServiceSectionRefused() { return kServiceSection; }
std::span<const Refused> TimerSectionRefused() { return kTimerSection; }
std::span<const Refused> SocketSectionRefused() { return kSocketSection; }
std::span<const Refused> InstallSectionRefused() { return kInstallSection; }
std::span<const Refused> QuadletSectionRefused() { return kQuadletSection; }

}  // namespace husk::config
