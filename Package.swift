// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target: language mode 6, warnings are errors.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func command(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: name + "Tests", dependencies: [.init(stringLiteral: name)] + dependencies, swiftSettings: strict)
}

let package = Package(
    name: "tollgate",
    products: [
        .executable(name: "tollgate", targets: ["TollgateMain"]),
        .executable(name: "protoc-gen-tollgate-swift", targets: ["ProtocGenTollgateSwift"]),
        .library(name: "TollgateClient", targets: ["TollgateClient"]),
    ],
    targets: [
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CSQLiteFiles", dependencies: ["CLinux", "CSQLite"]),
        .target(name: "CMemoryRows", dependencies: ["CSQLite"]),
        .target(name: "CSQLiteMemory", dependencies: ["CSQLite"]),

        module("Locks", []),
        module("Protobuf", []),
        module("HTTP2", ["Locks", "CLinux", "CNghttp2"]),
        module("RPC", ["HTTP2", "Protobuf", "Locks"]),
        module("Ledger", []),
        module(
            "Storage",
            [
                "Ledger", "Locks", "CLinux", "CSQLite", "CSQLiteFiles", "CMemoryRows", "CSQLiteMemory",
                "COpenSSL",
            ]),
        module("Engine", ["Storage", "Ledger", "Locks", "CLinux"]),
        module("TollgateSchema", ["Protobuf", "RPC"]),
        module(
            "Tollgate",
            ["TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2", "Protobuf", "Locks", "COpenSSL"]),
        module("TollgateClient", ["TollgateSchema", "RPC", "Protobuf", "Locks"]),
        module("LoadGenerator", ["Protobuf", "CLinux", "CNghttp2"]),
        module(
            "TollgateCommand",
            [
                "Tollgate", "TollgateClient", "TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2",
                "Protobuf", "LoadGenerator", "Locks", "CLinux",
            ]),
        command("TollgateMain", ["TollgateCommand"]),
        command("ProtocGenTollgateSwift", ["Protobuf"]),

        // What strangers' bytes go through, and what must hold for all of them: for the fuzzer and the tests alike.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Protobuf", "HTTP2", "RPC", "TollgateSchema", "Ledger", "Storage", "Tollgate", "LoadGenerator",
                "TollgateCommand", "SimulatedDisk", "CLinux",
            ], path: "Tests/Fuzz/Targets", swiftSettings: strict),
        .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
        .target(
            name: "SimulatedDisk", dependencies: ["Storage", "Locks", "CLinux", "CSQLite", "SeededRandom"],
            path: "Tests/SimulatedDisk",
            // A disk in memory copies bytes all day: unoptimized, the tests on it would take minutes more.
            swiftSettings: strict + [.unsafeFlags(["-O"])]),

        .target(
            name: "Simulation", dependencies: ["SimulatedDisk", "Engine", "Storage", "Ledger", "SeededRandom"],
            path: "Tests/Simulation",
            swiftSettings: strict),
        .executableTarget(
            name: "Simulate", dependencies: ["Simulation"], path: "Tests/Simulate", swiftSettings: strict),

        tests(of: "Protobuf", ["SeededRandom"]),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "SeededRandom"], swiftSettings: strict),
        tests(of: "HTTP2", ["CLinux", "CNghttp2", "Locks", "SeededRandom"]),
        tests(of: "RPC", ["HTTP2", "Protobuf", "Locks", "SeededRandom"]),
        tests(of: "Ledger", ["SeededRandom"]),
        tests(of: "Locks"),
        tests(of: "LoadGenerator", ["TollgateSchema", "HTTP2", "Protobuf", "Locks", "SeededRandom"]),
        tests(of: "Storage", ["Ledger", "CSQLite", "CLinux", "Locks", "SimulatedDisk", "SeededRandom"]),
        tests(of: "Engine", ["Storage", "Ledger", "Locks", "SimulatedDisk", "SeededRandom"]),
        tests(
            of: "Tollgate",
            ["TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2", "Protobuf", "Locks", "SeededRandom"]),
        tests(of: "TollgateCommand", ["LoadGenerator", "Ledger", "Storage", "RPC", "Protobuf", "Locks"]),
        tests(of: "TollgateClient", ["TollgateSchema", "Tollgate", "RPC", "HTTP2", "Protobuf", "Locks"]),
    ]
)

// libFuzzer's main is linked by flags that only `Tests/Fuzz/build.sh` gives.
if Context.environment["TOLLGATE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Runner", swiftSettings: strict)
    )
}
