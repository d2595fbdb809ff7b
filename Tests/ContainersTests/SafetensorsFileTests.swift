import Containers
import Files
import TestSupport
import Testing

/// The reader of safetensors files, on bytes put together by hand.
@Suite struct SafetensorsFileTests {
    private static func bytes(_ header: String, data: [UInt8] = [], length: Int? = nil) -> [UInt8] {
        let length = UInt64(length ?? header.utf8.count).littleEndian
        return withUnsafeBytes(of: length, Array.init) + Array(header.utf8) + data
    }

    private static func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(source: BytesInMemory(bytes, fileName: "model.safetensors"))
    }

    private static let sound = bytes(
        #"{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},"#
            + #""a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#,
        data: [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 7, 8, 9]
    )

    @Test func readsTensorsAndMetadata() throws {
        let file = try Self.open(Self.sound)
        #expect(file.header.metadata == ["format": "pt"])
        let tensors = file.tensors.sorted { $0.storedName < $1.storedName }
        #expect(tensors.map(\.storedName) == ["a", "b"])
        #expect(tensors.map(\.description.shape) == [[2, 1], [3]])
        #expect(tensors.map(\.description.dtype) == [.float32, .uint8])
        var last: [UInt8] = [0, 0]
        var span = last.mutableSpan
        var raw = span.mutableBytes
        try tensors[1].read(1..<3, into: &raw)
        #expect(last == [8, 9])
    }

    @Test func refusesEveryBeginning() throws {
        try expectErrors(
            [.fileEmpty, .stTooShort, .stHeaderBeyondFile, .stNotCovered],
            atEveryLengthOf: Self.sound
        ) { _ = try Self.open($0) }
    }

    @Test func refusesEveryBeginningOfTheHeaderWithItsOwnLength() throws {
        let header = Array(Self.sound[8..<(Self.sound.count - 11)])
        let text = String(decoding: header, as: UTF8.self)
        for count in 0..<text.utf8.count {
            let cut = String(decoding: header.prefix(count), as: UTF8.self)
            let error = #expect(throws: CheckpointError.self) {
                _ = try Self.open(Self.bytes(cut, data: Array(Self.sound.suffix(11))))
            }
            #expect([.jsonSyntax, .stHeaderStart].contains(error?.code), "\(cut)")
        }
    }

    @Test func refusesDefects() throws {
        func tensor(_ dtype: String, _ shape: String, _ offsets: String) -> String {
            #""dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)"#
        }
        let four = tensor("U8", "[4]", "[0,4]")
        let defects: [(String, CheckpointError.Code)] = [
            (#"{"a":{\#(four)}}"#, .stNotCovered),
            (#"{"a":{\#(tensor("U9", "[8]", "[0,8]"))}}"#, .stDtype),
            (#"{"a":{\#(tensor("U8", "[7]", "[0,8]"))}}"#, .stSizeMismatch),
            (#"{"a":{\#(tensor("U8", "[8]", "[8,0]"))}}"#, .stOffsets),
            (#"{"a":{\#(tensor("U8", "[8]", "[0,8,8]"))}}"#, .jsonType),
            (#"{"a":{\#(tensor("U8", "[-8]", "[0,8]"))}}"#, .jsonNumber),
            (#"{"a":{\#(tensor("U8", "[8.0]", "[0,8]"))}}"#, .jsonNumber),
            (#"{"a":{\#(tensor("U8", "[4294967296,4294967296]", "[0,8]"))}}"#, .stOverflow),
            (#"{"a":{\#(four)},"b":{\#(tensor("U8", "[3]", "[5,8]"))}}"#, .stHole),
            (#"{"a":{\#(four)},"b":{\#(tensor("U8", "[5]", "[3,8]"))}}"#, .stOverlap),
            (#"{"a":{\#(four)},"a":{\#(tensor("U8", "[4]", "[4,8]"))}}"#, .stDuplicateName),
            (#"{"a":{\#(four),"dtype":"U8"}}"#, .jsonDuplicateKey),
            (#"{"a":{"dtype":"U8","shape":[8]}}"#, .jsonMissingKey),
            (#"{"__metadata__":{"a":1}}"#, .jsonType),
            (#"[]"#, .stHeaderStart), (#" {}"#, .stHeaderStart), (#"{} x"#, .jsonTrailing),
        ]
        for (header, code) in defects {
            let error = try expectError(code) {
                try Self.open(Self.bytes(header, data: [UInt8](repeating: 0, count: 8)))
            }
            #expect(error.file == "model.safetensors")
        }
        let shape = String(repeating: "1,", count: 70) + "8"
        try expectError(.limitRank) {
            try Self.open(
                Self.bytes(
                    #"{"a":{\#(tensor("U8", "[\(shape)]", "[0,8]"))}}"#,
                    data: [UInt8](repeating: 0, count: 8)
                )
            )
        }
    }

    @Test func refusesLengthsThatNoHeaderHas() throws {
        try expectError(.stHeaderTooLarge) { try Self.open(Self.bytes("{}", length: 100_000_001)) }
        try expectError(.stHeaderTooLarge) { try Self.open(Self.bytes("{}", length: .max)) }
        try expectError(.stHeaderBeyondFile) { try Self.open(Self.bytes("{}", length: 3)) }
        try expectError(.stHeaderStart) { try Self.open(Self.bytes("", length: 0)) }
    }
}
