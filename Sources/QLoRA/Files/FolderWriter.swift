internal import CheckpointIO
internal import Machine
internal import Quant

/// Writes a folder of texts and one file of tensors; it appears whole or not at all.
enum FolderWriter {
    static func write(
        _ texts: [(name: String, text: String)],
        _ weights: (name: String, tensors: [TensorBytes]),
        metadata: [SafetensorsLayout.Metadata] = [],
        to destination: String,
        sources: [String],
        options: RunOptions
    ) throws(CheckpointError) {
        let layout = try SafetensorsLayout(
            tensors: weights.tensors.map(\.description),
            metadata: [.formatPyTorch] + metadata
        )
        let folder = try OutputFolder(
            at: destination,
            sources: sources,
            overwrite: options.overwrites,
            workers: .shared(),
            budget: options.budget
        )
        do throws(CheckpointError) {
            try folder.announce(texts.map(\.name) + [weights.name])
            for text in texts { try folder.writeFile(text.name, Array(text.text.utf8)) }
            let file = try folder.createFile(weights.name, byteCount: layout.maximumFileByteCount)
            let writer = SafetensorsWriter(layout, to: file)
            for tensor in weights.tensors {
                try writer.write(tensor.bytes, of: tensor.description.name)
            }
            try writer.finish()
            try folder.finishAndRecord(file)
            _ = try folder.commit()
        } catch {
            throw folder.abandon(after: error) ?? error
        }
    }
}
