import Files
import TestSupport
import Testing

@Suite struct JSONTests {
    private static let text = #"""
        {"a": [1, -0.5e+3, true, false, null, "é\n\u20ac\ud83d\ude00\\"],
         "b" : {"": {}, "c":[ ]}, "\u0061b": 18446744073709551615}
        """#

    @Test func readsEveryKindOfValue() throws {
        let object = try JSONObject(parsing: Array(Self.text.utf8))
        #expect(object.members.map(\.key) == ["a", "b", "ab"])
        let values = try object.array("a")
        #expect(
            values == [
                1, .number(try Self.number("-0.5e+3")), true, false, .null, "é\n€😀\\",
            ]
        )
        #expect(try object.object("b") == ["": .object([:]), "c": .array([])])
        guard case .number(let number)? = object["ab"] else {
            Issue.record("no number")
            return
        }
        #expect(number.text == "18446744073709551615")
        #expect(number.unsigned == .max && number.integer == nil)
        #expect(object.member("b")?.keyOffset == UInt64(Self.text.utf8.firstOffset(of: "\"b\"")))
    }

    @Test func writesWhatItReads() throws {
        let value = try JSONValue(parsing: Array(Self.text.utf8))
        let written = value.text()
        #expect(try JSONValue(parsing: Array(written.utf8)) == value)
        // Numbers keep their spelling.
        #expect(written.contains("-0.5e+3"))
    }

    @Test func refusesEveryBeginning() throws {
        try expectErrors([.jsonSyntax, .jsonEncoding], atEveryLengthOf: Array(Self.text.utf8)) {
            _ = try JSONValue(parsing: $0)
        }
    }

    @Test func refusesWhatIsNotJSON() throws {
        let defects: [(String, CheckpointError.Code, UInt64)] = [
            ("[1,]", .jsonSyntax, 3), ("{\"a\":1,}", .jsonSyntax, 7), ("[01]", .jsonSyntax, 1),
            ("[1.]", .jsonSyntax, 3), ("[1e]", .jsonSyntax, 3), ("[+1]", .jsonSyntax, 1),
            ("[NaN]", .jsonSyntax, 1), ("[Infinity]", .jsonSyntax, 1), ("['a']", .jsonSyntax, 1),
            ("{a:1}", .jsonSyntax, 1), ("{\"a\" 1}", .jsonSyntax, 5), ("[tru]", .jsonSyntax, 1),
            ("[\"\u{1}\"]", .jsonSyntax, 2), ("[\"\\x41\"]", .jsonSyntax, 2),
            ("[\"\\ud83d\"]", .jsonSyntax, 2), ("[\"\\ude00\"]", .jsonSyntax, 2),
            ("[1}", .jsonSyntax, 2), ("{\"a\":1]", .jsonSyntax, 6), ("[] []", .jsonTrailing, 3),
            ("[1e999]", .jsonNumber, 1), ("{\"a\":1,\"\\u0061\":2}", .jsonDuplicateKey, 7),
            ("\u{FEFF}{}", .jsonEncoding, 0), ("[/**/]", .jsonSyntax, 1),
        ]
        for (text, code, offset) in defects {
            let error = try expectError(code) { try JSONValue(parsing: Array(text.utf8)) }
            #expect(error.offset == offset, "\(text): \(error)")
        }
    }

    @Test func refusesWhatIsNotUTF8() throws {
        let sequences: [[UInt8]] = [
            [0x80], [0xC3], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98],
        ]
        for sequence in sequences {
            let bytes = Array("[\"".utf8) + sequence + Array("\"]".utf8)
            let error = try expectError(.jsonEncoding) { try JSONValue(parsing: bytes) }
            #expect(error.offset == 2, "\(sequence)")
        }
    }

    @Test func limitsTheDepth() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: UInt8(ascii: "["), count: depth)
                + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
        }
        _ = try JSONValue(parsing: nested(64))
        try expectError(.jsonDepth) { try JSONValue(parsing: nested(65)) }
        try expectError(.jsonDepth) { try JSONValue(parsing: nested(1 << 20)) }
    }

    @Test func spellsNumbersAsPythonDoes() {
        let spellings: [(Double, String)] = [
            (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (0.1, "0.1"), (1e-4, "0.0001"),
            (1e-5, "1e-05"), (1.5e-7, "1.5e-07"), (1e15, "1000000000000000.0"), (1e16, "1e+16"),
            (123_456_789.125, "123456789.125"), (5e-324, "5e-324"),
            (.greatestFiniteMagnitude, "1.7976931348623157e+308"),
        ]
        for (value, spelling) in spellings {
            #expect(JSONNumber(value).text == spelling)
        }
    }

    @Test func namesTheKeyOfAWrongValue() throws {
        let object = try JSONObject(parsing: Array(Self.text.utf8))
        #expect(try expectError(.jsonType) { try object.string("a") }.key == "a")
        #expect(try expectError(.jsonMissingKey) { try object.integer("x") }.key == "x")
        #expect(try expectError(.jsonNumber) { try object.integer("ab") }.key == "ab")
        let inner = try object.object("b")
        #expect(try expectError(.jsonType) { try inner.bool("c") }.key == "b.c")
    }

    private static func number(_ text: String) throws -> JSONNumber {
        guard case .number(let number) = try JSONValue(parsing: Array(text.utf8)) else {
            throw CheckpointError(.jsonType, "no number")
        }
        return number
    }
}

extension String.UTF8View {
    fileprivate func firstOffset(of text: String) -> Int {
        let bytes = Array(self)
        let sought = Array(text.utf8)
        return bytes.indices.first { bytes[$0...].starts(with: sought) } ?? -1
    }
}
