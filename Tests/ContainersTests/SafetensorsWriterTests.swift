import Foundation
import Machine
import Tensors
import TestSupport
import Testing

@testable import Containers
@testable import Files

@Suite struct SafetensorsWriterTests {
    /// Every safetensors file of the golden data was made by the reference writer.
    static let goldenFiles = [
        "adam8bit", "blockwise4bit", "blockwise8bit", "constants", "int8_vectorwise", "loftq",
        "matmul4bit", "nested_absmax", "special4bit", "tiny_llama/base_f32/model",
        "tiny_llama/fp4_f32_storage_skip/model", "tiny_llama/int8/model", "tiny_llama/nf4/model",
        "tiny_llama/nf4_dq_tied_sharded/model-00001-of-00003",
        "tiny_llama/nf4_dq_tied_sharded/model-00002-of-00003",
        "tiny_llama/nf4_dq_tied_sharded/model-00003-of-00003",
    ]

    @Test(arguments: goldenFiles)
    func rewritesTheReferencesFilesByteForByte(_ name: String) throws {
        let golden = try Golden.bytes(name + ".safetensors")
        let tensors = try Golden.tensors(name + ".safetensors")
        let descriptions = try tensors.map { name, tensor in
            TensorDescription(
                name: Name(name),
                dtype: try #require(DType(rawValue: tensor.dtype)),
                shape: tensor.shape
            )
        }
        let header = try JSONSerialization.jsonObject(with: Data(headerBytes(golden)))
        let members = try #require(header as? [String: Any])
        let metadata = members["__metadata__"] as? [String: String] ?? [:]
        let layout = try SafetensorsLayout(
            tensors: descriptions,
            metadata: metadata.map { SafetensorsLayout.Metadata(Name($0), Name($1)) }
        )
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        let file = try output.createFile("x", byteCount: layout.maximumFileByteCount)
        let writer = SafetensorsWriter(layout, to: file)
        for (name, tensor) in tensors {
            try tensor.bytes.withRawSpan { try writer.write($0, of: Name(name)) }
        }
        try writer.finish()
        try file.finish()
        try output.commit()
        #expect(try folder.bytes("out/x") == golden)
    }

    @Test func takesPiecesInAnyOrderFromManyThreads() throws {
        let shapes = [[3, 5], [0, 7], [], [129], [1, 1, 8191]]
        let descriptions = shapes.enumerated().map { index, shape in
            TensorDescription(name: Name("t\(index)"), dtype: .bfloat16, shape: shape)
        }
        let layout = try SafetensorsLayout(tensors: descriptions)
        var pieces: [(Name, Range<Int>)] = []
        for description in descriptions {
            var start = 0
            while start < description.byteCount {
                let end = min(start + 1 + start % 97, description.byteCount)
                pieces.append((description.name, start..<end))
                start = end
            }
        }
        var generator = SeededGenerator(seed: 7)
        pieces.shuffle(using: &generator)
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        let file = try output.createFile("x", byteCount: layout.maximumFileByteCount)
        let writer = SafetensorsWriter(layout, to: file)
        let work = pieces
        try WorkerPool(threadCount: 4).perform(work.count) { (index, _) throws(CheckpointError) in
            let (name, range) = work[index]
            let bytes = range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ name.utf8.count) }
            try bytes.withRawSpan { (span) throws(CheckpointError) in
                try writer.write(span, of: name, at: range.lowerBound)
            }
        }
        try writer.finish()
        try file.finish()
        try output.commit()
        let data = try folder.bytes("out/x").dropFirst(layout.headerByteCount)
        let expected = layout.entries.flatMap { entry in
            (0..<entry.byteRange.count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 2) }
        }
        #expect(Array(data) == expected)
    }

    @Test func putsLateTensorsLastAndCutsTheFile() throws {
        let layout = try SafetensorsLayout(
            tensors: [
                TensorDescription(name: "b", dtype: .uint8, shape: [3]),
                TensorDescription(name: "a", dtype: .float32, shape: [1]),
            ],
            lateTensors: [
                .init(name: "a.state", maximumByteCount: 1000),
                .init(name: "a.empty", maximumByteCount: 10),
            ]
        )
        let folder = try TemporaryFolder()
        let output = try OutputFolder(at: folder("out"), sources: [])
        let file = try output.createFile("x", byteCount: layout.maximumFileByteCount)
        let writer = SafetensorsWriter(layout, to: file)
        writer.setLateTensor("a.state", to: Array("seven b".utf8))
        try [UInt8](repeating: 1, count: 3).withRawSpan { try writer.write($0, of: "b") }
        try [UInt8](repeating: 2, count: 4).withRawSpan { try writer.write($0, of: "a") }
        writer.setLateTensor("a.empty", to: [])
        try writer.finish()
        try file.finish()
        try output.commit()
        let bytes = try folder.bytes("out/x")
        #expect(bytes.count == layout.headerByteCount + 4 + 3 + 7)
        #expect(layout.headerByteCount.isMultiple(of: 8))
        let tail = bytes.suffix(14)
        #expect(Array(tail) == [2, 2, 2, 2, 1, 1, 1] + Array("seven b".utf8))
        let header = try JSONSerialization.jsonObject(with: Data(headerBytes(bytes)))
        let members = try #require(header as? [String: Any])
        let state = try #require(members["a.state"] as? [String: Any])
        #expect(state["data_offsets"] as? [Int] == [7, 14])
        #expect(state["shape"] as? [Int] == [7])
    }

    @Test func refusesToFinishWithBytesMissing() async {
        await #expect(processExitsWith: .failure) {
            let layout = try SafetensorsLayout(
                tensors: [TensorDescription(name: "a", dtype: .uint8, shape: [3])]
            )
            let folder = try TemporaryFolder()
            let output = try OutputFolder(at: folder("out"), sources: [])
            let file = try output.createFile("x", byteCount: layout.maximumFileByteCount)
            let writer = SafetensorsWriter(layout, to: file)
            try [UInt8](repeating: 1, count: 2).withRawSpan { try writer.write($0, of: "a") }
            try writer.finish()
        }
    }

    @Test func refusesBytesTwice() async {
        await #expect(processExitsWith: .failure) {
            let layout = try SafetensorsLayout(
                tensors: [TensorDescription(name: "a", dtype: .uint8, shape: [3])]
            )
            let folder = try TemporaryFolder()
            let output = try OutputFolder(at: folder("out"), sources: [])
            let file = try output.createFile("x", byteCount: layout.maximumFileByteCount)
            let writer = SafetensorsWriter(layout, to: file)
            try [UInt8](repeating: 1, count: 2).withRawSpan { try writer.write($0, of: "a") }
            try [UInt8](repeating: 1, count: 2).withRawSpan {
                try writer.write($0, of: "a", at: 1)
            }
        }
    }

    private func headerBytes(_ file: [UInt8]) -> ArraySlice<UInt8> {
        let count = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return file[8..<8 + count]
    }
}
