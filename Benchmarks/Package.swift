// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "swift-qlora", path: "..")],
    targets: [
        .executableTarget(
            name: "Benchmarks",
            dependencies: [.product(name: "KernelBenchmarks", package: "swift-qlora")]
        ),
        .executableTarget(
            name: "LoftQBenchmark",
            dependencies: [
                .product(name: "LoftQ", package: "swift-qlora"),
                .product(name: "Quant", package: "swift-qlora"),
                .product(name: "CheckpointIO", package: "swift-qlora"),
                .product(name: "Tensors", package: "swift-qlora"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
