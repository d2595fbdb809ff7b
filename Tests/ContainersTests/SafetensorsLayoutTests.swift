import Tensors
import TestSupport
import Testing

@testable import Containers
@testable import Files

@Suite struct SafetensorsLayoutTests {
    @Test func escapesNamesAsTheReferenceDoes() throws {
        let layout = try SafetensorsLayout(
            tensors: [
                TensorDescription(name: Name("q\"\\\u{1}\n\u{7F}é€😀"), dtype: .uint8, shape: [0])
            ],
            metadata: []
        )
        let text = String(decoding: layout.header().dropFirst(8), as: UTF8.self)
        let name = #""q\"\\\u0001\n"# + "\u{7F}é€😀\""
        #expect(text.hasPrefix("{" + name + #":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        #expect(layout.header().count == layout.headerByteCount)
    }

    @Test func ordersByTypeThenByBytesOfTheName() throws {
        let layout = try SafetensorsLayout(tensors: [
            TensorDescription(name: "é", dtype: .float32, shape: []),
            TensorDescription(name: "z", dtype: .bool, shape: [1]),
            TensorDescription(name: "Z", dtype: .float32, shape: []),
            TensorDescription(name: "b", dtype: .bfloat16, shape: [2]),
            TensorDescription(name: "a", dtype: .uint8, shape: [1]),
            TensorDescription(name: "c", dtype: .int64, shape: [1]),
        ])
        #expect(layout.entries.map(\.description.name) == ["c", "Z", "é", "b", "a", "z"])
        #expect(layout.entries.map(\.byteRange.lowerBound) == [0, 8, 12, 16, 20, 21])
        #expect(layout.boundaries.last == layout.maximumFileByteCount)
    }

    @Test func throwsWhatCannotBeWritten() throws {
        let tensor = TensorDescription(name: "a", dtype: .uint8, shape: [1])
        try expectError(.stDuplicateName) { try SafetensorsLayout(tensors: [tensor, tensor]) }
        try expectError(.stDuplicateName) {
            try SafetensorsLayout(
                tensors: [tensor],
                lateTensors: [.init(name: "a", maximumByteCount: 1)]
            )
        }
        try expectError(.stDuplicateName) {
            try SafetensorsLayout(
                tensors: [TensorDescription(name: "__metadata__", dtype: .uint8, shape: [])]
            )
        }
        try expectError(.stOverflow) {
            try SafetensorsLayout(tensors: [
                TensorDescription(name: "a", dtype: .uint8, shape: [1 << 59]),
                TensorDescription(name: "b", dtype: .uint8, shape: [1 << 62]),
            ])
        }
        try expectError(.stSizeMismatch) {
            try SafetensorsLayout(
                tensors: [TensorDescription(name: "a", dtype: .float4, shape: [3])]
            )
        }
        try expectError(.limitNameLength) {
            let name = Name(String(repeating: "n", count: 4097))
            return try SafetensorsLayout(
                tensors: [TensorDescription(name: name, dtype: .uint8, shape: [])]
            )
        }
    }
}

@Suite struct ByteCoverageTests {
    @Test func joinsRangesAndFindsOverlaps() {
        var coverage = ByteCoverage(byteCount: 10)
        let steps: [(Range<Int>, isNew: Bool)] = [
            (2..<4, true), (6..<8, true), (3..<5, false), (0..<10, false), (7..<8, false),
            (4..<6, true), (5..<5, true), (0..<2, true),
        ]
        for (range, expected) in steps {
            let isNew = coverage.insert(range)
            #expect(isNew == expected, "\(range)")
        }
        #expect(coverage.missingByteCount == 2)
        #expect(!coverage.isComplete)
        let isNew = coverage.insert(8..<10)
        #expect(isNew && coverage.isComplete)
    }

    @Test func agreesWithABitmapOnRandomRanges() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<50 {
            var coverage = ByteCoverage(byteCount: 64)
            var bitmap = [Bool](repeating: false, count: 64)
            for _ in 0..<40 {
                let start = Int.random(in: 0..<64, using: &generator)
                let end = min(64, start + Int.random(in: 0..<6, using: &generator))
                let isNew = !bitmap[start..<end].contains(true)
                let inserted = coverage.insert(start..<end)
                #expect(inserted == isNew)
                if isNew { for index in start..<end { bitmap[index] = true } }
                #expect(coverage.missingByteCount == bitmap.count { !$0 })
            }
        }
    }
}

@Suite struct ShardPlanTests {
    @Test func makesOneFileWithoutALimit() {
        let plan = ShardPlan(byteCounts: [5, 6, 7], maximumByteCount: nil)
        #expect(plan.shards.map(\.fileName) == ["model.safetensors"])
        #expect(plan.shards.map(\.tensorIndices) == [[0, 1, 2]])
        #expect(ShardPlan(byteCounts: [], maximumByteCount: 5).shards.count == 1)
    }

    @Test func closesAShardWhenTheNextTensorWouldNotFit() {
        let plan = ShardPlan(byteCounts: [5, 5, 1, 10, 11, 2, 8], maximumByteCount: 10)
        // 11 is larger than a shard: it goes at once into one of its own, and [10] stays open.
        #expect(plan.shards.map(\.tensorIndices) == [[0, 1], [2], [4], [3], [5, 6]])
        #expect(plan.shards.map(\.byteCount) == [10, 1, 11, 10, 10])
        #expect(plan.shards[4].fileName == "model-00005-of-00005.safetensors")
    }

    @Test func spellsTheIndexAsTransformersDoes() throws {
        let path = "tiny_llama/nf4_dq_tied_sharded/"
        let golden = try Golden.bytes(path + ShardPlan.indexFileName)
        let index = try Golden.object(path + ShardPlan.indexFileName)
        let map = try #require(index["weight_map"] as? [String: String])
        let files = Set(map.values).sorted()
        #expect(files.count == 3)
        // A limit that closes each shard where that model's were closed.
        let names = map.keys.sorted { (map[$0] ?? "", $0) < (map[$1] ?? "", $1) }
        let counts = names.map { name in 1_000_000 / map.values.count { $0 == map[name] } }
        let plan = ShardPlan(byteCounts: counts, maximumByteCount: 1_000_000)
        let text = plan.indexText(
            names: names.map { Name($0) },
            totalByteCount: 72_656,
            totalParameterCount: 82_240
        )
        #expect(String(decoding: text, as: UTF8.self) == String(decoding: golden, as: UTF8.self))
    }
}
