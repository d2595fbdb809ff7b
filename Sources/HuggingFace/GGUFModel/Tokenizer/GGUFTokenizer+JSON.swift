internal import Files

extension GGUFTokenizer {
    /// `tokenizer.json`: vocabulary and merges a line each, the rest as small objects.
    var tokenizerJSON: [UInt8] {
        var text = TextBuilder()
        text.append("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n")
        text.append("  \"added_tokens\": [")
        for (index, token) in addedTokens.enumerated() {
            text.append(index == 0 ? "\n    " : ",\n    ")
            text.append(added(token.id, isSpecial: token.isSpecial).text())
        }
        text.append("\n  ],\n")
        text.append(member: "normalizer", kind.normalizer)
        text.append(member: "pre_tokenizer", kind.preTokenizer)
        text.append(member: "post_processor", postProcessor)
        text.append(member: "decoder", kind.decoder)
        appendModel(to: &text)
        text.append("\n}\n")
        return text.bytes
    }

    private func appendModel(to text: inout TextBuilder) {
        text.append("  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n")
        let unknown = kind.hasByteFallback ? unknownID.map { vocabulary.text(of: $0) } : nil
        text.append("    \"unk_token\": \(unknown.map(JSONValue.string)?.text() ?? "null"),\n")
        text.append("    \"continuing_subword_prefix\": null,\n")
        text.append("    \"end_of_word_suffix\": null,\n")
        text.append("    \"fuse_unk\": \(kind.hasByteFallback),\n")
        text.append("    \"byte_fallback\": \(kind.hasByteFallback),\n")
        text.append("    \"ignore_merges\": \(kind.ignoresMerges),\n")
        text.append("    \"vocab\": {")
        for (id, token) in vocabulary.tokens.enumerated() {
            text.append(id == 0 ? "\n      " : ",\n      ")
            text.append(string: token)
            text.append(": \(id)")
        }
        text.append("\n    },\n    \"merges\": [")
        for (index, pair) in merges.pairs.enumerated() {
            text.append(index == 0 ? "\n      [" : ",\n      [")
            text.append(string: vocabulary.tokens[Int(pair.left)])
            text.append(", ")
            text.append(string: vocabulary.tokens[Int(pair.right)])
            text.append("]")
        }
        text.append("\n    ]\n  }")
    }

    private func added(_ id: Int, isSpecial: Bool) -> JSONValue {
        [
            "id": .integer(id), "content": .string(vocabulary.text(of: id)), "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": .bool(isSpecial),
        ]
    }

    /// What is put around a text: the tokens of beginning and end, if the file asks for them.
    private var postProcessor: JSONValue {
        let begin = addsBeginning ? beginID : nil
        let end = addsEnd ? endID : nil
        guard begin != nil || end != nil else { return .null }
        var special: [(Name, JSONValue)] = []
        for id in Set([begin, end].compactMap(\.self)).sorted() {
            let text = JSONValue.string(vocabulary.text(of: id))
            special.append(
                (
                    Name(vocabulary.text(of: id)),
                    ["id": text, "ids": .array([.integer(id)]), "tokens": .array([text])]
                )
            )
        }
        func template(_ sequences: [(String, Int)]) -> JSONValue {
            var parts: [JSONValue] = []
            for (name, type) in sequences {
                let kind = JSONValue.integer(type)
                func token(_ id: Int) -> JSONValue {
                    ["SpecialToken": ["id": .string(vocabulary.text(of: id)), "type_id": kind]]
                }
                if let begin { parts.append(token(begin)) }
                parts.append(["Sequence": ["id": .string(name), "type_id": kind]])
                if let end { parts.append(token(end)) }
            }
            return .array(parts)
        }
        return [
            "type": "TemplateProcessing",
            "single": template([("A", 0)]),
            "pair": template([("A", 0), ("B", 1)]),
            "special_tokens": .object(JSONObject(special)),
        ]
    }
}

/// Text in the making, as bytes.
private struct TextBuilder {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(member name: String, _ value: JSONValue) {
        append("  \"\(name)\": \(value.text()),\n")
    }

    /// Appends a JSON string of UTF-8 text.
    mutating func append(string text: ArraySlice<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                append("\\u00" + (digits.count == 1 ? "0" : "") + digits)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
