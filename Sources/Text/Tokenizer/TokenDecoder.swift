internal import CheckpointIO

/// How texts of tokens become text again; each step takes a list of texts and gives one.
indirect enum TokenDecoder: Sendable {
    case sequence([TokenDecoder])
    case byteLevel
    case metaspace(replacement: UInt32, prepends: Bool)
    case replace(SplitPattern, by: [UInt8])
    /// Tokens such as `<0x0A>` become bytes.
    case byteFallback
    case fuse
    /// Takes so many of a character from both ends of each text.
    case strip(content: UInt32, start: Int, stop: Int)

    /// Reads a decoder of a `tokenizer.json`.
    /// - Throws: `tokenizer.unsupported` with the name of one that is not known.
    init(_ json: JSONObject) throws(CheckpointError) {
        let type = try json.string("type")
        switch type {
        case "Sequence": self = .sequence(try json.components("decoders", TokenDecoder.init))
        case "ByteLevel": self = .byteLevel
        case "Metaspace":
            let metaspace = try Metaspace(json)
            self = .metaspace(
                replacement: try json.character("replacement"),
                prepends: metaspace.prepending != .never
            )
        case "Replace":
            self = .replace(
                try json.pattern("pattern"),
                by: Array(try json.string("content").utf8)
            )
        case "ByteFallback": self = .byteFallback
        case "Fuse": self = .fuse
        case "Strip":
            self = .strip(
                content: try json.character("content"),
                start: try json.integer("start"),
                stop: try json.integer("stop")
            )
        default: throw CheckpointError.unknownComponent("decoder", type, json)
        }
    }

    /// Takes a step.
    /// - Throws: `tokenizer.pattern`.
    func apply(to texts: [[UInt8]]) throws(CheckpointError) -> [[UInt8]] {
        switch self {
        case .sequence(let steps):
            var texts = texts
            for step in steps { texts = try step.apply(to: texts) }
            return texts
        case .byteLevel: return [Self.valid(texts.flatMap(Self.bytes))]
        case .metaspace(let replacement, let prepends):
            return texts.enumerated().map { index, text in
                var result = String.UnicodeScalarView()
                for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                    if scalar.value != replacement {
                        result.append(scalar)
                    } else if index > 0 || !prepends {
                        result.append(" ")
                    }
                }
                return Array(String(result).utf8)
            }
        case .replace(let pattern, let content):
            let normalizer = Normalizer.replace(pattern, by: content)
            var results: [[UInt8]] = []
            for text in texts { results.append(try normalizer.apply(to: text)) }
            return results
        case .byteFallback: return Self.joinedBytes(texts)
        case .fuse: return [Array(texts.joined())]
        case .strip(let content, let start, let stop):
            return texts.map { text in
                var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
                var left = start
                while left > 0, scalars.first?.value == content {
                    scalars.removeFirst()
                    left -= 1
                }
                var right = stop
                while right > 0, scalars.last?.value == content {
                    scalars.removeLast()
                    right -= 1
                }
                return Array(String(scalars).utf8)
            }
        }
    }

    /// Bytes of which those that are no UTF-8 are replaced by U+FFFD.
    private static func valid(_ bytes: [UInt8]) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    /// The bytes that a token of a byte-level vocabulary stands for; itself, if it is none.
    private static func bytes(_ token: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
            guard let byte = ByteLevelAlphabet.bytes[scalar] else { return token }
            bytes.append(byte)
        }
        return bytes
    }

    private static func joinedBytes(_ texts: [[UInt8]]) -> [[UInt8]] {
        var results: [[UInt8]] = []
        var bytes: [UInt8] = []
        func finish() {
            guard !bytes.isEmpty else { return }
            if String(validating: bytes, as: UTF8.self) != nil {
                results.append(bytes)
            } else {
                results += bytes.map { _ in Array("\u{FFFD}".utf8) }
            }
            bytes = []
        }
        for text in texts {
            if text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">"),
                let byte = UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
            {
                bytes.append(byte)
            } else {
                finish()
                results.append(text)
            }
        }
        finish()
        return results
    }
}

extension JSONObject {
    /// Reads a text of one character.
    fileprivate func character(_ key: Name) throws(CheckpointError) -> UInt32 {
        let scalars = Array(try string(key).unicodeScalars)
        guard scalars.count == 1 else {
            throw CheckpointError(
                .tokenizerUnsupported,
                "not one character",
                key: keyPath(key),
                offset: member(key)?.valueOffset
            )
        }
        return scalars[0].value
    }
}
