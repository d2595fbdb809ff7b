/// Builds values from tokens without recursion.
package enum JSONTreeBuilder {
    /// A container that is being filled.
    private struct Frame {
        let isObject: Bool
        var elements: [JSONValue] = []
        var object = JSONObject()
        var key = Name(utf8: [])
        var keyOffset: UInt64 = 0
        let offset: UInt64
    }

    /// Builds the value whose first token was just read, and reads it to its end.
    /// - Throws: what the scanner throws, `json.duplicateKey`, and `json.number` for a number
    ///   beyond the finite doubles.
    package static func value(
        startingWith first: JSONScanner.Token,
        from scanner: inout JSONScanner
    ) throws(CheckpointError) -> JSONValue {
        var token = first
        var stack: [Frame] = []
        while true {
            let offset = scanner.tokenOffset
            var finished: (value: JSONValue, offset: UInt64)?
            switch token {
            case .beginObject: stack.append(Frame(isObject: true, offset: offset))
            case .beginArray: stack.append(Frame(isObject: false, offset: offset))
            case .endObject, .endArray:
                let frame = stack.removeLast()
                finished = (
                    frame.isObject ? .object(frame.object) : .array(frame.elements), frame.offset
                )
            case .key(let text):
                stack[stack.count - 1].key = Name(utf8: scanner.content(of: text))
                stack[stack.count - 1].keyOffset = offset
            case .string(let text):
                let content = scanner.content(of: text)
                finished = (.string(String(decoding: content, as: UTF8.self)), offset)
            case .number(let range):
                finished = (
                    .number(try number(scanner.spelling(of: range), at: offset, in: stack)), offset
                )
            case .bool(let flag): finished = (.bool(flag), offset)
            case .null: finished = (.null, offset)
            case .end: return .null
            }
            if let finished {
                guard !stack.isEmpty else { return finished.value }
                try add(finished.value, at: finished.offset, to: &stack)
            }
            token = try scanner.next()
        }
    }

    private static func add(
        _ value: JSONValue,
        at offset: UInt64,
        to stack: inout [Frame]
    ) throws(CheckpointError) {
        let top = stack.count - 1
        guard stack[top].isObject else {
            stack[top].elements.append(value)
            return
        }
        let member = JSONObject.Member(
            key: stack[top].key,
            value: value,
            keyOffset: stack[top].keyOffset,
            valueOffset: offset
        )
        guard stack[top].object.append(member) else {
            throw CheckpointError(
                .jsonDuplicateKey,
                "the key occurs twice in one object",
                key: path(of: stack),
                offset: stack[top].keyOffset
            )
        }
    }

    private static func number(
        _ text: String,
        at offset: UInt64,
        in stack: [Frame]
    ) throws(CheckpointError) -> JSONNumber {
        let number = JSONNumber(validated: text)
        // Short spellings without exponent are finite for sure.
        let mayOverflow = text.utf8.count > 300 || number.isFloatingPoint
        guard mayOverflow, number.double == nil else { return number }
        throw CheckpointError(
            .jsonNumber,
            "the number is beyond the finite doubles",
            key: stack.isEmpty ? nil : path(of: stack),
            offset: offset
        )
    }

    /// The keys on the way to the value that is being read.
    private static func path(of stack: [Frame]) -> String {
        stack.filter(\.isObject).map(\.key.text).joined(separator: ".")
    }
}
