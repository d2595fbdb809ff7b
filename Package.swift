// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built with strict memory safety and with warnings as errors.
let swiftSettings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// The modules under the name `CheckpointIO`: whoever imports that is compiled anew when one of them changes.
let checkpointIO: [Target.Dependency] = ["CheckpointIO", "HuggingFace", "Containers", "Files"]

/// Debian's file for it defines a macro that this tool refuses, and is not needed.
#if os(Linux)
let utf8procPkgConfig: String? = nil
#else
let utf8procPkgConfig: String? = "libutf8proc"
#endif

let package = Package(
    name: "swift-qlora",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Tensors", targets: ["Tensors"]),
        .library(name: "CheckpointIO", targets: ["CheckpointIO"]),
        .library(name: "Quant", targets: ["Quant"]),
        .library(name: "Models", targets: ["Models"]),
        .library(name: "Text", targets: ["Text"]),
        .library(name: "QLoRA", targets: ["QLoRA", "Fusing"]),
        .library(name: "LoftQ", targets: ["LoftQ"]),
        .library(name: "KernelBenchmarks", targets: ["KernelBenchmarks"]),
        .executable(name: "quantize", targets: ["QuantizeTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0")
    ],
    targets: [
        .target(name: "CSIMDKernels"),
        .target(
            name: "SIMDKernels",
            dependencies: ["CSIMDKernels", "Machine", "Tensors"],
            swiftSettings: swiftSettings
        ),
        .target(name: "Machine", dependencies: ["CSystem"], swiftSettings: swiftSettings),
        .target(name: "Tensors", dependencies: ["Machine"], swiftSettings: swiftSettings),
        .target(
            name: "KernelBenchmarks",
            dependencies: ["SIMDKernels", "Tensors", "Machine"],
            swiftSettings: swiftSettings
        ),
        .systemLibrary(
            name: "CZstd",
            pkgConfig: "libzstd",
            providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]
        ),
        // OpenSSL's libcrypto; Apple's systems have CryptoKit.
        .systemLibrary(
            name: "CCrypto",
            pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]
        ),
        .target(name: "CSystem"),
        .target(
            name: "Files",
            dependencies: [
                "Machine",
                "CSystem",
                .target(name: "CCrypto", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Containers",
            dependencies: ["Files", "Tensors", "Machine", "CZstd"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "HuggingFace",
            dependencies: ["Containers", "Files", "Tensors", "Machine"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "CheckpointIO",
            dependencies: ["HuggingFace", "Containers", "Files"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Quant",
            dependencies: ["SIMDKernels", "Tensors", "Machine"] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "CLinearAlgebra",
            linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]
        ),
        .target(
            name: "LinearAlgebra",
            dependencies: ["CLinearAlgebra", "Machine", "Tensors"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Models",
            dependencies: [
                "Text",
                "Quant",
                "LinearAlgebra",
                "SIMDKernels",
                "Tensors",
                "Machine",
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .systemLibrary(
            name: "CPCRE2",
            pkgConfig: "libpcre2-8",
            providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]
        ),
        .systemLibrary(
            name: "CUTF8Proc",
            pkgConfig: utf8procPkgConfig,
            providers: [.apt(["libutf8proc-dev"]), .brew(["utf8proc"])]
        ),
        .target(
            name: "Text",
            dependencies: ["CPCRE2", "CUTF8Proc"] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "QLoRA",
            dependencies: [
                "Text",
                "Models",
                "Quant",
                "LinearAlgebra",
                "SIMDKernels",
                "Tensors",
                "Machine",
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Fusing",
            dependencies: [
                "QLoRA", "Quant", "LinearAlgebra", "Tensors", "Machine",
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "LoftQ",
            dependencies: [
                "QLoRA", "Models", "Quant", "LinearAlgebra", "Tensors", "Machine",
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "ModelBenchmarks",
            dependencies: [
                "QLoRA", "Models", "Quant", "SIMDKernels", "Tensors", "Machine",
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "QuantizeTool",
            dependencies: [
                "ModelBenchmarks",
                "Fusing",
                "LoftQ",
                "QLoRA",
                "Models",
                "Text",
                "Quant",
                "Machine",
                "Tensors",
                "SIMDKernels",
                "KernelBenchmarks",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + checkpointIO,
            swiftSettings: swiftSettings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["Tensors"] + checkpointIO,
            path: "Tests/TestSupport",
            exclude: ["GoldenMakers"],
            resources: [.copy("Golden")]
        ),
        .executableTarget(
            name: "OutputProbe",
            dependencies: ["Tensors"] + checkpointIO,
            path: "Tests/FaultInjection/OutputProbe"
        ),
        .testTarget(name: "MachineTests", dependencies: ["Machine", "TestSupport"]),
        .testTarget(
            name: "SIMDKernelsTests",
            dependencies: ["SIMDKernels", "Machine", "Tensors", "TestSupport"]
        ),
        .testTarget(name: "KernelBenchmarksTests", dependencies: ["KernelBenchmarks", "Tensors"]),
        .testTarget(name: "FilesTests", dependencies: ["Files", "Machine", "TestSupport"]),
        .testTarget(
            name: "ContainersTests",
            dependencies: [
                "HuggingFace", "Containers", "Files", "Tensors", "Machine", "TestSupport",
            ]
        ),
        .testTarget(
            name: "HuggingFaceTests",
            dependencies: ["HuggingFace", "Containers", "Files", "Tensors", "TestSupport"]
        ),
        .testTarget(
            name: "QuantTests",
            dependencies: ["Quant", "SIMDKernels", "TestSupport"]
        ),
        .testTarget(
            name: "LinearAlgebraTests",
            dependencies: ["LinearAlgebra", "Machine", "Tensors", "TestSupport"]
        ),
        .testTarget(
            name: "TextTests",
            dependencies: ["Text", "TestSupport"] + checkpointIO
        ),
        .testTarget(
            name: "ModelsTests",
            dependencies: ["Models", "Quant", "Machine", "Tensors", "TestSupport"] + checkpointIO
        ),
        .testTarget(
            name: "LoftQTests",
            dependencies: ["LoftQ", "QLoRA", "Quant", "Tensors", "TestSupport"] + checkpointIO
        ),
        .testTarget(
            name: "QLoRATests",
            dependencies: ["QLoRA", "Fusing", "Models", "Quant", "LinearAlgebra", "TestSupport"]
        ),
        .testTarget(
            name: "QuantizeToolTests",
            dependencies: [
                "QuantizeTool",
                "QLoRA",
                "Quant",
                "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + checkpointIO
        ),
    ],
    swiftLanguageModes: [.v6]
)
