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
        .executable(name: "tollgate", targets: ["TollgateCommand"]),
        .executable(name: "protoc-gen-tollgate-swift", targets: ["ProtocGenTollgateSwift"]),
        .library(name: "TollgateClient", targets: ["TollgateClient"]),
    ],
    targets: [
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),

        module("Locks", []),
        module("Protobuf", []),
        module("HTTP2", ["Locks", "CLinux", "CNghttp2"]),
        module("RPC", ["HTTP2", "Protobuf", "Locks"]),
        module("Ledger", []),
        module("Storage", ["Ledger", "Locks", "CLinux", "CSQLite", "COpenSSL"]),
        module("Engine", ["Storage", "Ledger", "Locks", "CLinux"]),
        module("TollgateSchema", ["Protobuf", "RPC"]),
        module(
            "Tollgate",
            ["TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2", "Protobuf", "Locks", "COpenSSL"]),
        module("TollgateClient", ["TollgateSchema", "RPC", "Protobuf", "Locks"]),
        module("LoadGenerator", ["Protobuf", "CLinux", "CNghttp2"]),
        command(
            "TollgateCommand",
            [
                "Tollgate", "TollgateClient", "TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2",
                "Protobuf", "LoadGenerator", "Locks", "CLinux",
            ]),
        command("ProtocGenTollgateSwift", ["Protobuf"]),

        .target(
            name: "SimulatedDisk", dependencies: ["Storage", "Locks", "CLinux", "CSQLite"], path: "Tests/SimulatedDisk",
            swiftSettings: strict),

        .target(
            name: "Simulation", dependencies: ["SimulatedDisk", "Engine", "Storage", "Ledger"],
            path: "Tests/Simulation",
            swiftSettings: strict),
        .executableTarget(
            name: "Simulate", dependencies: ["Simulation"], path: "Tests/Simulate", swiftSettings: strict),

        tests(of: "Protobuf"),
        tests(of: "HTTP2", ["CLinux", "CNghttp2", "Locks"]),
        tests(of: "RPC", ["HTTP2", "Protobuf", "Locks"]),
        tests(of: "Ledger"),
        tests(of: "LoadGenerator", ["TollgateSchema", "HTTP2", "Protobuf", "Locks"]),
        tests(of: "Storage", ["Ledger", "CSQLite", "CLinux", "Locks", "SimulatedDisk"]),
        tests(of: "Engine", ["Storage", "Ledger", "Locks", "SimulatedDisk"]),
        tests(of: "Tollgate", ["TollgateSchema", "Engine", "Storage", "Ledger", "RPC", "HTTP2", "Protobuf", "Locks"]),
        tests(of: "TollgateCommand", ["LoadGenerator", "Ledger", "Storage", "RPC", "Protobuf", "Locks"]),
        tests(of: "TollgateClient", ["TollgateSchema", "Tollgate", "RPC", "HTTP2", "Protobuf", "Locks"]),
    ]
)
