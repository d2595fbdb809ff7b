import CheckpointIO
import Foundation
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct BaseChangeConversionTests {
    private static let ids = ["pissa", "olora", "pissa_rslora", "pissa_patterns"]

    private static func folder(_ id: String, _ name: String) throws -> AdapterFolder {
        try AdapterFolder(at: GoldenModel.url("convert/\(id)/\(name)").path)
    }

    /// The tensors and the configuration that PEFT makes of both folders, to the bit.
    @Test(arguments: ids) func convertsAsPEFT(id: String) throws {
        let start = try BaseChangeConversion.Start.adapter(Self.folder(id, "initial"))
        let result = try BaseChangeConversion.plain(Self.folder(id, "trained"), from: start)
        let converted = try Self.folder(id, "converted")
        let expected = try AdapterFactors.byModule(converted)
        #expect(result.layers.count == expected.count && !expected.isEmpty)
        for layer in result.layers {
            let other = try #require(expected[layer.module])
            #expect(layer.adapter.a == other.a && layer.adapter.b == other.b)
            #expect(abs(layer.adapter.scaling - other.scaling) <= 1e-15 * other.scaling)
        }
        #expect(result.config.rank == converted.config.rank)
        #expect(abs(result.config.alpha - converted.config.alpha) <= converted.config.alpha.ulp)
        #expect(result.config.rankPattern == converted.config.rankPattern)
        #expect(result.config.alphaPattern == converted.config.alphaPattern)
        #expect(result.config.initialization == .kaiming)
    }

    /// PiSSA and OLoRA can be computed again: the change of the weight is the same.
    @Test(arguments: ids) func computesTheStartFromTheBase(id: String) throws {
        let base = try Checkpoint(at: GoldenModel.url("bases/llama").path)
        let result = try BaseChangeConversion.plain(Self.folder(id, "trained"), from: .base(base))
        let expected = try AdapterFactors.byModule(Self.folder(id, "converted"))
        for layer in result.layers {
            let other = try #require(expected[layer.module])
            // Relative to the weight, which the change is a part of.
            let weight = try Matrix(Name(layer.module + ".weight"), in: base)
            let bound = 1e-5 * weight.elements.reduce(0) { max($0, $1.magnitude) }
            for (own, other) in zip(layer.adapter.delta().elements, other.delta().elements) {
                #expect((own - other).magnitude <= bound)
            }
        }
    }

    /// Written, it binds to the base without a complaint, as the trained folder does not.
    @Test func resultsAreSoundAdapters() throws {
        let folder = try TemporaryFolder()
        let tree = try ModuleTree(try Checkpoint(at: GoldenModel.url("bases/llama").path))
        let trained = try Self.folder("pissa_patterns", "trained")
        #expect(throws: CheckpointError.self) { try trained.bound(to: tree) }
        try BaseChangeConversion.plain(
            trained,
            from: .adapter(try Self.folder("pissa_patterns", "initial"))
        ).write(to: folder("plain"))
        let bound = try AdapterFolder(at: folder("plain")).bound(to: tree)
        #expect(bound.warnings.isEmpty && !bound.layers.isEmpty)
    }

    @Test func refusesWhatNeedsNoConversionOrHasNone() throws {
        let start = try BaseChangeConversion.Start.adapter(Self.folder("plain", "initial"))
        let plain = #expect(throws: CheckpointError.self) {
            try BaseChangeConversion.plain(Self.folder("plain", "trained"), from: start)
        }
        #expect(plain?.code == .adapterUnsupported)
        // An initial adapter of other modules.
        let other = #expect(throws: CheckpointError.self) {
            try BaseChangeConversion.plain(Self.folder("pissa", "trained"), from: start)
        }
        #expect(other?.code == .adapterTensorMissing)
    }
}
