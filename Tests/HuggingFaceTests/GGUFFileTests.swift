import Foundation
import TestSupport
import Testing

@testable import Containers
@testable import Files
@testable import HuggingFace

@Suite("GGUF files")
struct GGUFFileTests {
    @Test("every kind of value reads back")
    func readsEveryKindOfValue() throws {
        let file = try GGUFFile(source: golden())
        #expect(file.version == 3)
        #expect(file.alignment == 32)
        #expect(file.warnings.isEmpty)
        for (key, number) in [("u8", 200), ("u16", 60000), ("u32", 7), ("u64", 1 << 40)] {
            #expect(try file.integer(Name("test.\(key)")) == UInt64(number))
        }
        for (key, number) in [("i8", -100), ("i16", -30000), ("i32", -7), ("i64", -1 << 40)] {
            let entry = try #require(file.entry(Name("test.\(key)")))
            guard case .signed(let value, _) = entry.value else {
                Issue.record("\(key) is \(entry.value)")
                continue
            }
            #expect(value == Int64(number))
        }
        #expect(try file.float("test.f32")?.value == 0.5)
        #expect(try file.float("test.f64")?.value == 0.1)
        #expect(try file.bool("test.bool") == true)
        #expect(try file.string("test.str") == "grüße")
        let strings = try #require(try file.strings("test.strs"))
        #expect(strings.map { String(decoding: $0, as: UTF8.self) } == ["a", "", "bcd"])
        #expect(try file.int32s("test.ints") == [1, 2, 3])
        #expect(try file.floats("test.floats") == [0.5, -1.5])
        #expect(try file.integer("test.none") == nil)
    }

    @Test("tensors of eight types decode to the reference's values, whole and in pieces")
    func decodesTensors() throws {
        let file = try GGUFFile(source: golden())
        let expected = try Golden.tensors("gguf.safetensors")
        let cases = try #require(Golden.object("gguf.json")["cases"] as? [[String: Any]])
        #expect(file.tensors.count == cases.count)
        for golden in cases {
            let name = try #require(golden["tensor"] as? String)
            let tensor = try #require(file.tensors.first { $0.name == Name(name) })
            #expect(tensor.type.rawValue == UInt32(golden["type"] as? Int ?? -1))
            #expect(tensor.shape == golden["shape_rows_cols"] as? [Int])
            let values = try #require(expected["\(name.dropFirst(2)).dequant"]?.floats)
            let count = tensor.elementCount
            for range in [0..<count, 0..<1, 5..<77, 31..<33, 96..<96, count - 65..<count] {
                #expect(try decoded(tensor, of: file, range) == values[range].map(\.bitPattern))
            }
        }
    }

    @Test("a file with an odd end is read with a warning")
    func warnsOfTrailingBytes() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.tail = [1, 2, 3]
        let bytes = writer.bytes()
        let file = try GGUFFile(source: BytesInMemory(bytes, fileName: "t.gguf"))
        #expect(file.warnings.map(\.finding.code) == [.ggufTrailing])
        #expect(file.warnings[0].finding.offset == UInt64(bytes.count - 3))
    }

    @Test("versions 2 and 3 are the same")
    func readsVersion2() throws {
        var writer = GGUFWriter.tinyLlama()
        writer.version = 2
        let file = try GGUFFile(source: BytesInMemory(writer.bytes(), fileName: "t.gguf"))
        #expect(file.tensors.count == 11)
    }

    @Test("a file cut anywhere is refused")
    func refusesFilesCutAnywhere() throws {
        var writer = GGUFWriter.tinyLlama()
        let bytes = writer.bytes()
        _ = try GGUFFile(source: BytesInMemory(bytes, fileName: "t.gguf"))
        // The last tensor needs no padding: its 64 bytes end on the alignment.
        let headerCount = Int(writer.places["output_norm.weight.offset"] ?? 0) + 8
        let cuts = Array(0..<headerCount + 64) + stride(from: headerCount, to: bytes.count, by: 61)
        for count in cuts + [bytes.count - 1] {
            let source = BytesInMemory(Array(bytes.prefix(count)), fileName: "t.gguf")
            let error = #expect(throws: CheckpointError.self, "\(count)") {
                try GGUFFile(source: source)
            }
            let code = try #require(error?.code)
            #expect(
                [.fileEmpty, .ggufTruncated, .ggufBeyondFile].contains(code),
                "\(count): \(code)"
            )
            #expect(error?.file == "t.gguf")
        }
    }

    @Test("mutated files are read or refused, never trapped on", arguments: 0..<8)
    func survivesMutation(seed: UInt64) {
        var writer = GGUFWriter.tinyLlama()
        let sound = writer.bytes()
        let headerCount = Int(writer.places["output_norm.weight.offset"] ?? 0) + 8
        var generator = SeededGenerator(seed: seed)
        for round in 0..<400 {
            var bytes = sound
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<headerCount, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes[place] = 0xFF
                case 2: bytes.remove(at: place)
                default: bytes.insert(0, at: place)
                }
            }
            do throws(CheckpointError) {
                let contents = try CheckpointContents(
                    gguf: BytesInMemory(bytes, fileName: "t.gguf"),
                    options: .init()
                )
                for tensor in contents.tensors { try readAll(tensor) }
            } catch {
                #expect(error.file == "t.gguf", "seed \(seed), round \(round): \(error)")
            }
        }
    }

    private func readAll(_ tensor: TensorView) throws(CheckpointError) {
        var bytes = [UInt8](repeating: 0, count: tensor.description.byteCount)
        try read(tensor.elements, 0..<tensor.description.elementCount, into: &bytes)
    }

    private func golden() throws -> BytesInMemory {
        try BytesInMemory(Golden.bytes("tiny.gguf"), fileName: "tiny.gguf")
    }

    /// Returns elements as float32 bits, whatever they are stored as.
    private func decoded(
        _ tensor: GGUFTensor,
        of file: GGUFFile,
        _ range: Range<Int>
    ) throws -> [UInt32] {
        let elements = GGUFElements(
            source: file.source,
            tensor: tensor,
            rowOrder: .same,
            isOffset: false
        )
        let width = tensor.elementDType.bitCount / 8
        var bytes = [UInt8](repeating: 0, count: range.count * width)
        try read(elements, range, into: &bytes)
        return stride(from: 0, to: bytes.count, by: width).map { place in
            let word = bytes[place..<place + width].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            switch tensor.elementDType {
            case .float16: return Float(halfBits: UInt16(word)).bitPattern
            case .bfloat16: return word << 16
            default: return word
            }
        }
    }
}

/// Reads elements into an array.
func read(
    _ elements: any ElementSource,
    _ range: Range<Int>,
    into bytes: inout [UInt8]
) throws(CheckpointError) {
    let failure: CheckpointError? = bytes.withUnsafeMutableBytes { buffer in
        var span = MutableRawSpan(_unsafeBytes: buffer)
        do throws(CheckpointError) {
            try elements.read(range, into: &span)
            return nil
        } catch {
            return error
        }
    }
    if let failure { throw failure }
}
