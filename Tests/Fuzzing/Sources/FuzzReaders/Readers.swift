import CheckpointIO
import Foundation
import QLoRA
import Text

/// What reads the bytes; `FUZZ_READER` names one.
enum Reader: String, CaseIterable {
    case json, safetensors, zstd, gguf, ggufModel, config, index, adapter
    case tokenizer, template, pattern

    static let chosen: Reader = {
        let name = ProcessInfo.processInfo.environment["FUZZ_READER"] ?? ""
        guard let reader = Reader(rawValue: name) else {
            let all = allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(Data("FUZZ_READER: one of \(all)\n".utf8))
            exit(2)
        }
        return reader
    }()

    /// Reads.
    func read(_ bytes: [UInt8]) throws {
        switch self {
        case .json:
            // What is written is read as the same.
            let text = try JSONValue(parsing: bytes).text(.indented)
            guard try JSONValue(parsing: Array(text.utf8)).text(.indented) == text
            else { fatalError("written and read again, it is another text") }
        case .safetensors:
            let file = try SafetensorsFile(source: InputBytes(bytes: bytes))
            for tensor in file.tensors { try readAll(tensor) }
        case .zstd:
            let file = try ZstdFile(InputBytes(bytes: bytes))
            var buffer = [UInt8](repeating: 0, count: min(file.byteCount, 1 << 16))
            try buffer.withUnsafeMutableBytes { buffer in
                var bytes = MutableRawSpan(_unsafeBytes: buffer)
                try file.read(at: file.byteCount - bytes.byteCount, into: &bytes)
                try file.read(at: 0, into: &bytes)
            }
        case .gguf:
            _ = try GGUFFile(source: InputBytes(bytes: bytes))
        case .ggufModel:
            try Self.folder.write(bytes, to: "model.gguf")
            for tensor in try Checkpoint(at: Self.folder.path + "/model.gguf").tensors {
                try readAll(tensor)
            }
        case .config:
            try Self.folder.write(bytes, to: "config.json")
            _ = try Checkpoint(at: Self.folder.path)
        case .index:
            try Self.folder.write(bytes, to: "model.safetensors.index.json")
            _ = try Checkpoint(at: Self.folder.path)
        case .adapter:
            try Self.folder.write(bytes, to: "adapter_config.json")
            _ = try AdapterOverview(AdapterFolder(at: Self.folder.path))
        case .tokenizer:
            let tokenizer = try Tokenizer(parsing: bytes)
            _ = try tokenizer.decode(tokenizer.encode("Ein Text, naïve 東京 😀\n\t 123"))
        case .template:
            _ = try ChatTemplate(String(decoding: bytes, as: UTF8.self)).render([
                .init(role: "system", content: "s"), .init(role: "user", content: "u"),
            ])
        case .pattern:
            let pattern = try PythonPattern(String(decoding: bytes, as: UTF8.self))
            _ = try pattern.matchesWhole("model.layers.0.self_attn.q_proj")
        }
    }

    /// The files that stand beside the one that is made up.
    private static let folder = SoundFolder(ProcessInfo.processInfo.environment["FUZZ_FOLDER"])
}

/// A copy of a folder, of which one file changes from run to run.
private struct SoundFolder {
    let path = NSTemporaryDirectory() + "/fuzz.\(getpid())"

    init(_ original: String?) {
        guard let original else { fatalError("FUZZ_FOLDER: the files beside the one made up") }
        do { try FileManager.default.copyItem(atPath: original, toPath: path) } catch {
            fatalError("\(original): \(error)")
        }
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }
}
