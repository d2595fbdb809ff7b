// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "swift-qlora", path: "../..")],
    targets: [
        // Built by Scripts/fuzz, which brings the fuzzer's flags and its main function.
        .executableTarget(
            name: "FuzzReaders",
            dependencies: [
                .product(name: "CheckpointIO", package: "swift-qlora"),
                .product(name: "Text", package: "swift-qlora"),
                .product(name: "QLoRA", package: "swift-qlora"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
