import CheckpointIO
import Foundation
import TestSupport
import Testing

@testable import QLoRA

@Suite struct AdapterFolderTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let folder: String
        let verdict: String
        let fault: String
        var testDescription: String { id }
    }

    static let cases = Result {
        try #require(try GoldenModel.object("loading.json")["cases"] as? [[String: Any]]).compactMap
        {
            golden -> Case? in
            guard let folder = golden["dir"] as? String else { return nil }
            return Case(
                id: golden["id"] as? String ?? "",
                folder: folder,
                verdict: golden["library"] as? String ?? "",
                fault: golden["fault"] as? String ?? ""
            )
        }
    }

    private static func tree(_ base: String) throws -> ModuleTree {
        try ModuleTree(try Checkpoint(at: GoldenModel.url(base).path))
    }

    /// Each defect has its own error; what PEFT loads as something else is refused.
    @Test(arguments: try cases.get()) func judgesFolders(golden: Case) throws {
        let tree = try Self.tree("bases/llama")
        let path = try GoldenModel.url(golden.folder).path
        let error: CheckpointError?
        var warnings: [CheckpointWarning] = []
        do throws(CheckpointError) {
            let adapter = try AdapterFolder(at: path).bound(to: tree)
            for layer in adapter.layers { _ = try layer.adapter() }
            warnings = adapter.warnings
            error = nil
        } catch {
            #expect(error.file != nil, "\(error)")
            #expect(!error.description.contains(path))
            warnings = []
            #expect(
                ["refuse", "special"].contains(golden.verdict),
                "\(error) for \(golden.fault)"
            )
            // Words after the code, and where one begins with words, are for people.
            let code = golden.fault.split(separator: ":").first.map(String.init) ?? ""
            if code.contains("."), !code.contains(" ") { #expect(error.code.rawValue == code) }
            return
        }
        #expect(
            error == nil && golden.verdict == (warnings.isEmpty ? "accept" : "warn"),
            "\(warnings)"
        )
    }

    @Test func theGoldenCasesAreThere() throws {
        #expect(try Self.cases.get().count >= 46)
    }

    /// Every folder that PEFT saved binds to its base, with every tensor in its place.
    @Test func bindsWhatPEFTSaved() throws {
        let golden = try #require(
            try GoldenModel.object("adapters.json")["cases"] as? [[String: Any]]
        )
        var count = 0
        for fields in golden {
            let id = try #require(fields["id"] as? String)
            let folder = try #require(fields["dir"] as? String)
            let base = try #require(fields["base"] as? String)
            // Quantized bases are elsewhere.
            guard base.hasPrefix("bases/") else { continue }
            let opened = try AdapterFolder(at: GoldenModel.url(folder).path)
            guard opened.config.layerReplication.isEmpty else { continue }
            let adapter = try opened.bound(to: try Self.tree(base))
            let factors = adapter.layers.map { layer in
                2 + (layer.bias == nil ? 0 : 1) + (layer.magnitude == nil ? 0 : 1)
            }.reduce(0, +)
            let rest =
                adapter.replacements.count + adapter.tokenRows.count + adapter.carriedWeights.count
            #expect(factors + rest == opened.tensors.count, "\(id)")
            for layer in adapter.layers { #expect(try layer.adapter().rank == layer.target.rank) }
            count += 1
        }
        #expect(count >= 28)
    }

    @Test func picklesAreNotOpened() throws {
        let folder = try TemporaryFolder()
        let config = try Data(contentsOf: GoldenModel.url("loading/sound/adapter_config.json"))
        try folder.write("adapter_config.json", [UInt8](config))
        try folder.write("adapter_model.bin", [0x80, 0x04])
        let error = #expect(throws: CheckpointError.self) { try AdapterFolder(at: folder.path) }
        #expect(error?.code == .pickleRefused)
    }
}
