internal import Containers
internal import Files

/// The tensors of all shards of a model, checked against its index.
struct ShardedTensors {
    private(set) var tensors: [TensorView] = []
    private(set) var files: [InputFile] = []
    private(set) var metadata = JSONObject()
    private(set) var warnings: [CheckpointWarning] = []
    private(set) var unmapped: [CheckpointContents.UnmappedTensor] = []
    /// For each tensor of any shard the position of that shard.
    private var homes: [Name: Int] = [:]

    /// Opens all shards that an index names.
    ///
    /// - Parameters:
    ///   - indexName: the index, a file of the folder.
    ///   - folder: where index and shards lie.
    ///   - listing: the names in the folder.
    ///   - options: whether shards may be links that lead anywhere, and the budget of all of them.
    /// - Throws: what is wrong with the index or a shard; the error names the file at fault.
    init(
        index indexName: Name,
        in folder: InputFolder,
        listing: [Name],
        _ options: Checkpoint.Options
    ) throws(CheckpointError) {
        let index: ShardIndex
        let memory = ZstdMemory(budget: options.budget)
        do throws(CheckpointError) {
            let file = try folder.file(named: indexName, followsLinks: options.followsLinks)
            index = try ShardIndex(parsing: file.wholeText(limit: ShardIndex.byteCountLimit))
        } catch {
            throw error.inFile(indexName.text)
        }
        for (position, shard) in index.shards.enumerated() {
            let file = try ShardedTensors.file(
                shard,
                in: folder,
                followsLinks: options.followsLinks
            )
            let safetensors = try SafetensorsFile(weights: file, memory: memory)
            if position == 0 { metadata = safetensors.header.metadata }
            files.append(file)
            for tensor in safetensors.tensors {
                try add(tensor, of: position, index)
            }
        }
        var byteCount = 0
        for tensor in tensors {
            byteCount = byteCount.addingReportingOverflow(tensor.storedByteCount).partialValue
        }
        try checkMap(index)
        addWarnings(index, indexName, listing, byteCount: byteCount)
    }

    /// Opens a shard, or what zstd made of it: an index names the unpacked files.
    private static func file(
        _ shard: Name,
        in folder: InputFolder,
        followsLinks: Bool
    ) throws(CheckpointError) -> InputFile {
        let packed = Name(utf8: shard.utf8 + ".zst".utf8)
        let isPacked = folder.identity(of: shard) == nil && folder.identity(of: packed) != nil
        do throws(CheckpointError) {
            return try folder.file(named: isPacked ? packed : shard, followsLinks: followsLinks)
        } catch  where error.code == .fileMissing {
            throw CheckpointError(
                .indexShardMissing,
                "the index names this file, but it is not there",
                file: shard.text,
                hint: "the download is incomplete"
            )
        }
    }

    private mutating func add(
        _ tensor: TensorView,
        of position: Int,
        _ index: ShardIndex
    ) throws(CheckpointError) {
        let name = tensor.description.name
        if let first = homes.updateValue(position, forKey: name) {
            throw CheckpointError(
                .indexDuplicateTensor,
                "the tensor is also in \(index.shards[first])",
                file: tensor.fileName,
                tensor: name
            )
        }
        guard homes.count <= SafetensorsHeader.tensorCountLimit else {
            throw CheckpointError(
                .limitCount,
                "more than \(SafetensorsHeader.tensorCountLimit) tensors in all shards",
                file: tensor.fileName
            )
        }
        if index.positions[name] == nil {
            unmapped.append(
                CheckpointContents.UnmappedTensor(name: name, shard: tensor.fileName)
            )
        } else {
            tensors.append(tensor)
        }
    }

    /// Makes sure that every mapped tensor is where the map says.
    private func checkMap(_ index: ShardIndex) throws(CheckpointError) {
        for name in index.tensors {
            guard let mapped = index.positions[name], homes[name] != mapped else { continue }
            let elsewhere = homes[name].map { "; it is in \(index.shards[$0])" } ?? ""
            throw CheckpointError(
                .indexTensorMissing,
                "the index maps the tensor to this file, which lacks it\(elsewhere)",
                file: index.shards[mapped].text,
                tensor: name
            )
        }
    }

    private mutating func addWarnings(
        _ index: ShardIndex,
        _ indexName: Name,
        _ listing: [Name],
        byteCount: Int
    ) {
        if let totalSize = index.totalSize, totalSize.double != Double(byteCount) {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(
                        .indexTotalSize,
                        "the index states another size than the tensors have",
                        file: indexName.text,
                        key: "metadata.total_size",
                        expected: "\(byteCount)",
                        found: totalSize.text
                    )
                )
            )
        }
        let used = Set(files.map(\.fileName))
        for name in listing where name.isSafetensors && !used.contains(name.text) {
            warnings.append(
                CheckpointWarning(
                    CheckpointError(
                        .indexShardUnused,
                        "the index does not name this file; it is not used",
                        file: name.text
                    )
                )
            )
        }
    }
}
