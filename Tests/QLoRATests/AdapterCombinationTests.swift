import CheckpointIO
import Foundation
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct AdapterCombinationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let adapters: [String]
        let weights: [Double]
        var options: CombinationOptions
        let rank: Int
        let modules: [String]
        var testDescription: String { "\(id) \(options.kind.rawValue)" }
    }

    static let cases = Result {
        try #require(try GoldenModel.object("combine.json")["cases"] as? [[String: Any]]).map {
            golden in
            let kind = try #require(
                CombinationOptions.Kind(rawValue: golden["type"] as? String ?? "")
            )
            var options = CombinationOptions(kind, density: golden["density"] as? Double)
            if let method = golden["majority_sign_method"] as? String {
                options.majoritySign = try #require(
                    CombinationOptions.MajoritySign(rawValue: method)
                )
            }
            options.rank = golden["svd_rank"] as? Int
            options.clamp = golden["svd_clamp"] as? Double
            let result = try #require(golden["result"] as? [String: Any])
            return Case(
                id: golden["id"] as? String ?? "",
                adapters: golden["adapters"] as? [String] ?? [],
                weights: golden["weights"] as? [Double] ?? [],
                options: options,
                rank: result["r"] as? Int ?? 0,
                modules: (golden["modules"] as? [String: Any] ?? [:]).keys.sorted()
            )
        }
    }
    static let tensors = Result { try Golden.tensors(at: GoldenModel.url("combine.safetensors")) }

    @Test func theGoldenCasesAreThere() throws {
        let kinds = try Set(Self.cases.get().map(\.options.kind))
        #expect(
            try Self.cases.get().count >= 43
                && kinds.count == CombinationOptions.Kind.allCases.count
        )
    }

    private static func combination(_ golden: Case) throws -> AdapterCombination {
        var options = golden.options
        // A density above 1 keeps everything there; here it is an error.
        if let density = options.density, density > 1 { options.density = 1 }
        return try AdapterCombination(
            zip(golden.adapters, golden.weights).map { name, weight in
                AdapterCombination.Part(
                    try AdapterFolder(at: GoldenModel.url("combine/\(name)").path),
                    weight: weight
                )
            },
            options
        )
    }

    /// The masks that PEFT drew, by module, `A` of all adapters before `B`, or one for each delta.
    private static func masks(_ golden: Case, _ module: String, _ place: Int, _ count: Int)
        -> [Bool]
    {
        let adapters = golden.adapters.count
        let names =
            golden.options.kind.isSVD
            ? ["mask\(place)"]
            : [place < adapters ? "maskA\(place)" : "maskB\(place - adapters)"]
        let bytes = (try? tensors.get())?["\(golden.id).\(module).\(names[0])"]?.bytes ?? []
        return (0..<count).map { bytes[$0 / 8] >> (7 - UInt8($0 % 8)) & 1 == 1 }
    }

    @Test(arguments: try cases.get()) func combinesAsPEFT(golden: Case) throws {
        var unclamped = golden
        unclamped.options.clamp = nil
        let combination = try Self.combination(unclamped)
        #expect(combination.rank == golden.rank)
        let short = combination.modules.map { String($0.dropFirst("model.".count)) }
        #expect(short.sorted() == golden.modules)
        let result = try combination.combined { module, place, count, _ in
            Self.masks(golden, short[module], place, count)
        }
        let tensors = try Self.tensors.get()
        for (layer, name) in zip(result.layers, short) {
            let expected = try ["A", "B"].map { part in
                let tensor = try #require(tensors["\(golden.id).\(name).\(part)"])
                return Matrix(
                    rowCount: tensor.shape[0],
                    columnCount: tensor.shape[1],
                    elements: tensor.floats
                )
            }
            if golden.options.kind.isSVD, golden.adapters.count > 1 {
                try checkProduct(layer.adapter, expected, golden)
                continue
            }
            if golden.options.kind == .cat, golden.adapters.count > 1 {
                #expect(layer.adapter.b == expected[1])
                for (own, other) in zip(layer.adapter.a.elements, expected[0].elements) {
                    #expect((own - other).magnitude <= other.ulp)
                }
                continue
            }
            for (own, other) in [(layer.adapter.a, expected[0]), (layer.adapter.b, expected[1])] {
                GoldenTolerance(share: 1e-6).check(own.elements, other.elements, name)
                // What is pruned or dropped is exact.
                for (own, other) in zip(own.elements, other.elements) {
                    #expect((own == 0) == (other == 0))
                }
            }
        }
    }

    /// Products to 2e-5 of their norm.
    private func checkProduct(_ found: LoRAAdapter, _ expected: [Matrix], _ golden: Case) throws {
        var found = found
        if let clamp = golden.options.clamp {
            // Where factors are clamped depends on their signs, of which a decomposition has none: those of
            // the reference are taken.
            for row in 0..<found.rank {
                let sum = (0..<found.inputCount).reduce(Float(0)) {
                    $0 + found.a[row, $1] * expected[0][row, $1]
                }
                guard sum < 0 else { continue }
                for column in 0..<found.inputCount { found.a[row, column].negate() }
                for output in 0..<found.outputCount { found.b[output, row].negate() }
            }
            (found.a, found.b) = ModuleFactors.clamped((found.a, found.b), clamp)
        }
        let reference = LoRAAdapter(a: expected[0], b: expected[1], scaling: 1).delta().elements
        let product = found.delta().elements
        let norm = reference.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        let distance = zip(product, reference).reduce(0) { sum, pair in
            let difference = Double(pair.0) - Double(pair.1)
            return sum + difference * difference
        }.squareRoot()
        #expect(distance <= 2e-5 * norm, "\(distance / norm)")
    }

    @Test func theSameSeedGivesTheSameBitsForAnyNumberOfThreads() throws {
        var options = CombinationOptions(.dareTies, density: 0.5)
        options.seed = 3
        let golden = Case(
            id: "",
            adapters: ["x", "y"],
            weights: [0.7, 0.4],
            options: options,
            rank: 4,
            modules: []
        )
        let results = try [1, 2, 7].map { threads in
            var run = RunOptions()
            run.threadCount = threads
            return try Self.combination(golden).combined(options: run).layers.map(\.adapter.a)
        }
        #expect(results[0] == results[1] && results[0] == results[2])
        options.seed = 4
        let other = Case(
            id: "",
            adapters: ["x", "y"],
            weights: [0.7, 0.4],
            options: options,
            rank: 4,
            modules: []
        )
        #expect(try Self.combination(other).combined().layers.map(\.adapter.a) != results[0])
    }

    /// Written, read again and bound to its base, a `cat` is the weighted sum of the changes.
    @Test func resultsAreSoundAdapters() throws {
        let folder = try TemporaryFolder()
        let golden = try #require(try Self.cases.get().first { $0.id == "c5" })
        let result = try Self.combination(golden).combined()
        try result.write(to: folder("sum"))
        let tree = try ModuleTree(try Checkpoint(at: GoldenModel.url("bases/llama").path))
        let bound = try AdapterFolder(at: folder("sum")).bound(to: tree)
        #expect(bound.warnings.isEmpty)
        for layer in bound.layers {
            var expected = [Float](repeating: 0, count: layer.target.module.shape.reduce(1, *))
            for (name, weight) in zip(golden.adapters, golden.weights) {
                let own = try AdapterFolder(at: GoldenModel.url("combine/\(name)").path).bound(
                    to: tree
                )
                let match = try #require(
                    own.layers.first { $0.target.module == layer.target.module }
                )
                for (index, value) in try match.adapter(weight: weight).delta().elements
                    .enumerated()
                {
                    expected[index] += value
                }
            }
            #expect(layer.target.scaling == 1)
            GoldenTolerance(share: 1e-6).check(
                try layer.adapter().delta().elements,
                expected,
                "sum"
            )
        }
    }

    enum Fault: CaseIterable {
        case nothing, ranksDiffer, densityMissing, densityNegative, densityZero, densityLarge,
            weightNaN
        case rankTooLarge, rankNegative, clampLarge, dora, bias, tokens, baseBias, pissa, savedTwice
        case otherSize
    }

    @Test(arguments: Fault.allCases) func faultsHaveErrorsOfTheirOwn(fault: Fault) throws {
        let folder = try TemporaryFolder()
        func adapter(
            _ name: String,
            rank: Int = 2,
            width: Int = 8,
            _ change: (inout LoRAConfig) -> Void = { _ in }
        )
            throws -> AdapterFolder
        {
            var config = LoRAConfig(rank: rank, alpha: 4, targetModules: .list(["q_proj"]))
            change(&config)
            let factors = LoRAAdapter(
                a: Matrix(rowCount: rank, columnCount: width),
                b: Matrix(rowCount: 8, columnCount: rank),
                scaling: 2
            )
            try AdapterContents(config, layers: [.init("model.layers.0.self_attn.q_proj", factors)])
                .write(to: folder(name))
            return try AdapterFolder(at: folder(name))
        }
        var options = CombinationOptions(.cat)
        var weights = [1.0, 1.0]
        var adapters = [try adapter("one"), try adapter("two")]
        var code = CheckpointError.Code.optionUnused
        switch fault {
        case .nothing: adapters = []
        case .ranksDiffer:
            options = CombinationOptions(.linear)
            adapters[1] = try adapter("three", rank: 3)
            code = .adapterContradiction
        case .densityMissing: options = CombinationOptions(.ties)
        case .densityNegative: options = CombinationOptions(.ties, density: -0.1)
        case .densityZero: options = CombinationOptions(.dareLinear, density: 0)
        case .densityLarge: options = CombinationOptions(.ties, density: 1.5)
        case .weightNaN: weights[0] = .nan
        case .rankTooLarge:
            options = CombinationOptions(.svd)
            options.rank = 100
        case .rankNegative:
            options = CombinationOptions(.svd)
            options.rank = -1
        case .clampLarge:
            options = CombinationOptions(.svd)
            options.clamp = 1.5
        case .dora, .bias, .tokens, .baseBias, .pissa:
            code = .adapterUnsupported
            adapters[1] = try adapter("three") { config in
                switch fault {
                case .dora: config.usesDoRA = true
                case .bias: config.hasLoRABias = true
                case .tokens: config.trainableTokens = .inputEmbedding([1])
                case .baseBias: config.bias = .all
                default: config.initialization = .pissa(iterations: nil)
                }
            }
        case .savedTwice:
            code = .adapterContradiction
            adapters = try ["three", "four"].map {
                try adapter($0) { $0.modulesToSave = ["lm_head"] }
            }
        case .otherSize:
            code = .adapterShape
            adapters[1] = try adapter("three", width: 9)
        }
        let error = #expect(throws: CheckpointError.self) {
            try AdapterCombination(
                zip(adapters, weights).map { AdapterCombination.Part($0, weight: $1) },
                options
            )
        }
        #expect(error?.code == code, "\(error?.description ?? "")")
    }
}
