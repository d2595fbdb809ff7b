internal import Files
internal import Tensors

/// The JSON text of a safetensors header, spelled as the reference writer spells it.
enum SafetensorsHeaderText {
    static func text(
        metadata: [SafetensorsLayout.Metadata],
        entries: [SafetensorsLayout.Entry],
        late: [(SafetensorsLayout.LateTensor, byteCount: Int)]
    ) -> [UInt8] {
        var text: [UInt8] = [0x7B]
        var isFirst = true
        func separate() {
            if !isFirst { text.append(0x2C) }
            isFirst = false
        }
        if !metadata.isEmpty {
            separate()
            text += #""__metadata__":{"#.utf8
            for (index, line) in metadata.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text.append(0x2C) }
                append(line.key, to: &text)
                text.append(0x3A)
                append(line.value, to: &text)
            }
            text.append(0x7D)
        }
        for entry in entries {
            separate()
            append(entry.description, at: entry.byteRange, to: &text)
        }
        var end = entries.last?.byteRange.upperBound ?? 0
        for (tensor, byteCount) in late {
            separate()
            let description = TensorDescription(
                name: tensor.name,
                dtype: .uint8,
                shape: [byteCount]
            )
            append(description, at: end..<end + byteCount, to: &text)
            end += byteCount
        }
        text.append(0x7D)
        return text
    }

    private static func append(
        _ tensor: TensorDescription,
        at range: Range<Int>,
        to text: inout [UInt8]
    ) {
        append(tensor.name, to: &text)
        text += #":{"dtype":""#.utf8
        text += tensor.dtype.rawValue.utf8
        text += #"","shape":["#.utf8
        for (index, length) in tensor.shape.enumerated() {
            if index > 0 { text.append(0x2C) }
            text += String(length).utf8
        }
        text += #"],"data_offsets":["#.utf8
        text += "\(range.lowerBound),\(range.upperBound)]}".utf8
    }

    /// Appends a string: quotes, backslashes and control characters escaped, all else in UTF-8.
    private static func append(_ string: Name, to text: inout [UInt8]) {
        text.append(0x22)
        for byte in string.utf8 {
            switch byte {
            case 0x22: text += #"\""#.utf8
            case 0x5C: text += #"\\"#.utf8
            case 0x08: text += #"\b"#.utf8
            case 0x09: text += #"\t"#.utf8
            case 0x0A: text += #"\n"#.utf8
            case 0x0C: text += #"\f"#.utf8
            case 0x0D: text += #"\r"#.utf8
            case ..<0x20:
                text += (byte < 0x10 ? #"\u000"# : #"\u00"#).utf8
                text += String(byte, radix: 16).utf8
            default: text.append(byte)
            }
        }
        text.append(0x22)
    }
}
