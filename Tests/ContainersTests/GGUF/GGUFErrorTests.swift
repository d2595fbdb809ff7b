import TestSupport
import Testing

@testable import Containers
@testable import Files

@Suite("What is wrong with a GGUF file")
struct GGUFErrorTests {
    @Test("the beginning must be that of a known version")
    func refusesOtherBeginnings() throws {
        try expect(.fileEmpty) { $0 = [] }
        try expect(.ggufMagic, at: 0) { $0[3] = UInt8(ascii: "E") }
        try expect(.ggufMagic, at: 0) { $0.replaceSubrange(0..<4, with: Array("ggjt".utf8)) }
        for (version, category) in [
            (0, CheckpointError.Category.badData), (1, .unsupported), (4, .unsupported),
            (0x0300_0000, .unsupported),
        ] {
            let error = try expect(.ggufVersion, at: 4) {
                $0.replaceSubrange(4..<8, with: little(UInt32(version)))
            }
            #expect(error.category == category)
            #expect(error.description.contains("endian") == (version > 4))
        }
    }

    @Test("counts beyond any file are refused where they stand")
    func refusesCounts() throws {
        for count in [1 << 40, 1 << 63, UInt64.max, 1_000_001] as [UInt64] {
            try expect(.ggufCount, at: 8) { $0.replaceSubrange(8..<16, with: little(count)) }
        }
        for count in [500_000_000, UInt64.max, 100_001] as [UInt64] {
            try expect(.ggufCount, at: 16) { $0.replaceSubrange(16..<24, with: little(count)) }
        }
        // One more than there is: reading runs into the data, and on nothing but bytes.
        try expect([.ggufName, .ggufString, .ggufTruncated]) {
            $0.replaceSubrange(8..<16, with: little(UInt64(100)))
        }
    }

    @Test("keys are text of a length")
    func refusesKeys() throws {
        try expect(.ggufKey) { $0.pairs.append(("", .uint8(1))) }
        try expect(.ggufKey) { $0.pairs.append(("a\u{7}b", .uint8(1))) }
        try expect(.ggufKey) {
            $0.pairs.append((String(repeating: "k", count: 65536), .uint8(1)))
        }
        try expect(.ggufDuplicateKey, key: "llama.block_count") {
            $0.pairs.append(("llama.block_count", .uint32(9)))
        }
        for length in [1 << 50, UInt64.max] as [UInt64] {
            try expect(.ggufString, patching: "llama.block_count", with: little(length))
        }
        try expect(.ggufKey, patching: "llama.block_count", skipping: 8, with: [0xFF])
    }

    @Test("values have known types, and fit the file")
    func refusesValues() throws {
        for type in [13, UInt32.max] {
            try expect(.ggufValueType, patching: "llama.block_count.type", with: little(type))
        }
        try expect(
            .ggufString,
            patching: "general.architecture.value",
            with: little(UInt64(1) << 62)
        )
        try expect(.ggufString, key: "x.text") {
            $0.pairs.append(("x.text", .raw(8, little(UInt64(2)) + [0xC3, 0x28])))
        }
        try expect(.ggufBool, key: "x.flag") { $0.pairs.append(("x.flag", .bool(2))) }
        try expect(.ggufBool, key: "x.flags") {
            $0.pairs.append(
                ("x.flags", .raw(9, little(UInt32(7)) + little(UInt64(3)) + [1, 0, 2]))
            )
        }
        let huge = little(UInt32(6)) + little(UInt64(1) << 62)
        try expect(.ggufArray, patching: "tokenizer.ggml.scores.value", with: huge)
        try expect(
            .ggufValueType,
            patching: "tokenizer.ggml.scores.value",
            with: little(UInt32(77))
        )
        let nested = (0..<2000).flatMap { _ in little(UInt32(9)) + little(UInt64(1)) }
        try expect(.ggufDepth, key: "x.nested") { $0.pairs.append(("x.nested", .raw(9, nested))) }
    }

    @Test("arrays nested four deep are read")
    func readsNestedArrays() throws {
        var writer = GGUFWriter.tinyLlama()
        let levels = (0..<3).flatMap { _ in little(UInt32(9)) + little(UInt64(1)) }
        let innermost = little(UInt32(0)) + little(UInt64(2)) + [7, 8]
        writer.pairs.append(("x.nested", .raw(9, levels + innermost)))
        let file = try GGUFFile(source: BytesInMemory(writer.bytes(), fileName: "t.gguf"))
        #expect(file.entry("x.nested")?.value.type == .array)
    }

    @Test("the alignment is a usable power of two")
    func refusesAlignments() throws {
        for alignment in [0, 1, 4, 12, 1 << 21, 1 << 31] as [UInt32] {
            try expect(.ggufAlignment, key: "general.alignment") {
                $0.set("general.alignment", .uint32(alignment))
            }
        }
        try expect(.ggufKeyType, key: "general.alignment") {
            $0.set("general.alignment", .uint64(32))
        }
        var writer = GGUFWriter.tinyLlama()
        writer.set("general.alignment", .uint32(256))
        writer.alignment = 256
        let file = try GGUFFile(source: BytesInMemory(writer.bytes(), fileName: "t.gguf"))
        #expect(file.tensors.allSatisfy { $0.bytes.lowerBound % 256 == 0 })
    }

    @Test("names of tensors are unique text of a length")
    func refusesNames() throws {
        let victim = "blk.0.attn_q.weight"
        try expect(.ggufName) {
            $0.change(victim) { $0.name = String(repeating: "t", count: 64) }
        }
        try expect(.ggufName) { $0.change(victim) { $0.name = "" } }
        try expect(.ggufName) { $0.change(victim) { $0.name = "a\nb" } }
        try expect(.ggufDuplicateName, tensor: "token_embd.weight") {
            $0.change(victim) { $0.name = "token_embd.weight" }
        }
    }

    @Test("shapes are representable and of one to four dimensions")
    func refusesShapes() throws {
        try expectTensor(.ggufDims, "dims") { $0.dims = [] }
        try expectTensor(.ggufDims, "dims") { $0.dims = [16, 16, 1, 1, 1] }
        try expectTensor(.ggufDims, "dims") { $0.rank = .max }
        try expectTensor(.ggufDims) { $0.dims = [0, 16] }
        try expectTensor(.ggufOverflow) { $0.dims = [1 << 63, 1] }
        try expectTensor(.ggufOverflow) { $0.dims = [1 << 32, 1 << 32] }
        try expectTensor(.ggufOverflow) { $0.dims = [1 << 62, 1] }
        try expectTensor(.ggufOverflow) { $0.dims = [(1 << 61) - 1, 1] }
        try expectTensor(.ggufOverflow) { $0.dims = [(1 << 62) - 1, 1] }
    }

    @Test("types are known, and their rows whole blocks")
    func refusesTypes() throws {
        for type in [4, 5, 31, 38, 41, 999, .max] as [UInt32] {
            try expectTensor(.ggufType, "type") { $0.type = type }
        }
        for type in [9, 15, 16, 20, 24, 28, 39] as [UInt32] {
            let error = try expectTensor(.ggufUnsupported, "type") { $0.type = type }
            #expect(error.category == .unsupported)
        }
        let error = try expectTensor(.ggufBlockSize) {
            $0.type = 8
            $0.dims = [33, 16]
        }
        #expect(error.expected == "a multiple of 32" && error.found == "33")
        #expect(try expectTensor(.ggufUnsupported) { $0.type = 12 }.description.contains("Q4_K"))
    }

    @Test("data lies in order, on the alignment, in the file")
    func refusesOffsets() throws {
        for offset in [8, 0, 1 << 30, .max - 31] as [UInt64] {
            try expectTensor(.ggufOffset, "offset") { $0.offset = offset }
        }
        let error = try expect(.ggufBeyondFile, tensor: "output_norm.weight") {
            (bytes: inout [UInt8]) in
            bytes.removeLast(40)
        }
        #expect(error.found == error.found.map { _ in "\(soundCount - 40)" })
    }

    private var soundCount: Int {
        var writer = GGUFWriter.tinyLlama()
        return writer.bytes().count
    }

    @discardableResult
    private func expectTensor(
        _ code: CheckpointError.Code,
        _ field: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout GGUFWriter.Tensor) -> Void
    ) throws -> CheckpointError {
        let victim = "blk.0.attn_q.weight"
        var writer = GGUFWriter.tinyLlama()
        writer.change(victim, change)
        let bytes = writer.bytes()
        let error = try failure(of: bytes, [code], sourceLocation)
        #expect(error.tensor == Name(victim), sourceLocation: sourceLocation)
        if let field {
            let place = writer.places["\(victim).\(field)"]
            #expect(error.offset == place, sourceLocation: sourceLocation)
        }
        return error
    }

    @discardableResult
    private func expect(
        _ code: CheckpointError.Code,
        key: String? = nil,
        tensor: Name? = nil,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout GGUFWriter) -> Void
    ) throws -> CheckpointError {
        var writer = GGUFWriter.tinyLlama()
        change(&writer)
        let error = try failure(of: writer.bytes(), [code], sourceLocation)
        if let key { #expect(error.key == key, sourceLocation: sourceLocation) }
        if let tensor { #expect(error.tensor == tensor, sourceLocation: sourceLocation) }
        return error
    }

    /// Overwrites bytes at a place of the sound file, which the error must name.
    private func expect(
        _ code: CheckpointError.Code,
        patching place: String,
        skipping count: Int = 0,
        with bytes: [UInt8],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var writer = GGUFWriter.tinyLlama()
        var file = writer.bytes()
        let start = try #require(writer.places[place])
        file.replaceSubrange(Int(start) + count..<Int(start) + count + bytes.count, with: bytes)
        let error = try failure(of: file, [code], sourceLocation)
        #expect(error.offset == start, sourceLocation: sourceLocation)
    }

    @discardableResult
    private func expect(
        _ code: CheckpointError.Code,
        at offset: UInt64? = nil,
        tensor: Name? = nil,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout [UInt8]) -> Void
    ) throws -> CheckpointError {
        let error = try expect([code], sourceLocation: sourceLocation, change)
        if let offset { #expect(error.offset == offset, sourceLocation: sourceLocation) }
        if let tensor { #expect(error.tensor == tensor, sourceLocation: sourceLocation) }
        return error
    }

    @discardableResult
    private func expect(
        _ codes: [CheckpointError.Code],
        sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout [UInt8]) -> Void
    ) throws -> CheckpointError {
        var writer = GGUFWriter.tinyLlama()
        var bytes = writer.bytes()
        change(&bytes)
        return try failure(of: bytes, codes, sourceLocation)
    }

    private func failure(
        of bytes: [UInt8],
        _ codes: [CheckpointError.Code],
        _ sourceLocation: SourceLocation
    ) throws -> CheckpointError {
        let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
            try GGUFFile(source: BytesInMemory(bytes, fileName: "t.gguf"))
        }
        let found = try #require(error, sourceLocation: sourceLocation)
        #expect(codes.contains(found.code), "\(found)", sourceLocation: sourceLocation)
        #expect(found.file == "t.gguf", sourceLocation: sourceLocation)
        return found
    }
}
