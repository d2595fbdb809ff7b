internal import Containers
internal import Files

/// The index of a sharded model: which tensor lies in which file.
struct ShardIndex {
    /// The longest index, in bytes.
    static let byteCountLimit = 256 << 20
    static let shardCountLimit = 10_000

    /// The files, in the order of their bytes.
    let shards: [Name]
    /// For each tensor the position of its file in `shards`.
    let positions: [Name: Int]
    /// The tensors in the order of the map.
    let tensors: [Name]
    /// The sum of the tensors' bytes that the index states, in its spelling; nil if it does not.
    let totalSize: JSONNumber?

    /// Parses and checks the text of an index.
    /// - Throws: `json.…`, `index.empty`, `path.escape`, `path.badName` or `limit.…`.
    init(parsing bytes: [UInt8]) throws(CheckpointError) {
        let json = try JSONObject(parsing: bytes)
        let map = try json.object("weight_map")
        guard !map.members.isEmpty else {
            throw CheckpointError(
                .indexEmpty,
                "the map names no tensors",
                key: "weight_map",
                offset: json.member("weight_map")?.valueOffset
            )
        }
        guard map.members.count <= SafetensorsHeader.tensorCountLimit else {
            throw CheckpointError(
                .limitCount,
                "\(map.members.count) tensors; \(SafetensorsHeader.tensorCountLimit) are allowed"
            )
        }
        var shardNames: [Name: Int] = [:]
        var found: [Name] = []
        var positions = [Name: Int](minimumCapacity: map.members.count)
        for member in map.members {
            let name = Name(try map.string(member.key))
            let position: Int
            if let known = shardNames[name] {
                position = known
            } else {
                do throws(CheckpointError) {
                    try InputFolder.checkPlainName(name)
                } catch {
                    var error = error
                    error.key = map.keyPath(member.key)
                    error.offset = member.valueOffset
                    throw error
                }
                position = found.count
                shardNames[name] = position
                found.append(name)
            }
            positions[member.key] = position
        }
        guard found.count <= ShardIndex.shardCountLimit else {
            throw CheckpointError(
                .limitCount,
                "\(found.count) shards; \(ShardIndex.shardCountLimit) are allowed"
            )
        }
        let order = found.indices.sorted { found[$0] < found[$1] }
        var rank = [Int](repeating: 0, count: found.count)
        for (place, position) in order.enumerated() { rank[position] = place }
        shards = order.map { found[$0] }
        self.positions = positions.mapValues { rank[$0] }
        tensors = map.members.map(\.key)
        // Some writers leave out the metadata or make the sum a float: worth a warning at most.
        if case .object(let metadata)? = json["metadata"],
            case .number(let number)? = metadata["total_size"]
        {
            totalSize = number
        } else {
            totalSize = nil
        }
    }
}
