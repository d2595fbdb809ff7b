internal import CheckpointIO
internal import Quant
internal import Tensors

/// What a checkpoint holds, weight by weight: the codes, scales and tables of a quantized weight
/// count together.
struct Inspection: Sendable {
    /// One weight, or one tensor that belongs to none.
    struct Item: Sendable {
        /// The name of the tensor with the numbers.
        let name: Name
        /// How it is stored: a type of the file, or the format of a quantized weight.
        let type: String
        /// The dimensions of the weight; empty for a scalar.
        let shape: [Int]
        /// The numbers it stands for.
        let elementCount: Int
        /// The bytes it takes in its file, before any compression.
        let storedByteCount: Int
        /// The file it is in.
        let file: String

        /// Bits for one number; nil without numbers.
        var bitsPerWeight: Double? {
            elementCount > 0 ? Double(storedByteCount) * 8 / Double(elementCount) : nil
        }
    }

    /// All items of one type.
    struct Total: Sendable {
        let type: String
        var itemCount = 0
        var elementCount = 0
        var storedByteCount = 0
    }

    /// The weights, in the order of the files.
    private(set) var items: [Item] = []

    /// What does not fit together, which `verify` reports as defects; listed tensor by tensor.
    private(set) var findings: [CheckpointError] = []

    /// Groups the tensors of a checkpoint.
    init(_ checkpoint: Checkpoint) {
        var ungrouped: Set<Name> = []
        for tensor in checkpoint.tensors {
            let name = tensor.description.name
            guard QuantizedNames.weight(ofSideTensor: name) == nil else { continue }
            do throws(CheckpointError) {
                if let stored = try StoredQuantization(tensor, in: checkpoint) {
                    items.append(Item(stored, file: tensor.fileName))
                    continue
                }
            } catch {
                findings.append(error)
                ungrouped.insert(name)
            }
            items.append(Item(tensor))
        }
        for tensor in checkpoint.tensors {
            guard let (weight, _) = QuantizedNames.weight(ofSideTensor: tensor.description.name)
            else { continue }
            if ungrouped.contains(weight) || checkpoint[weight] == nil {
                items.append(Item(tensor))
            }
        }
    }

    /// All numbers.
    var elementCount: Int { items.reduce(0) { $0 + $1.elementCount } }
    /// All bytes of tensors, before compression.
    var storedByteCount: Int { items.reduce(0) { $0 + $1.storedByteCount } }

    /// The types, largest first.
    var totals: [Total] {
        var totals: [Total] = []
        for item in items {
            let index = totals.firstIndex { $0.type == item.type } ?? totals.count
            if index == totals.count { totals.append(Total(type: item.type)) }
            totals[index].itemCount += 1
            totals[index].elementCount += item.elementCount
            totals[index].storedByteCount += item.storedByteCount
        }
        return totals.sorted {
            ($0.storedByteCount, $1.type) > ($1.storedByteCount, $0.type)
        }
    }
}

extension Inspection.Item {
    /// A tensor that stands for itself.
    fileprivate init(_ tensor: TensorView) {
        let description = tensor.description
        self.init(
            name: description.name,
            type: tensor.storedType,
            shape: description.shape,
            elementCount: description.elementCount,
            storedByteCount: tensor.storedByteCount,
            file: tensor.fileName
        )
    }

    /// A quantized weight with everything that belongs to it.
    fileprivate init(_ stored: StoredQuantization, file: String) {
        let config = stored.config
        var type = config.format.rawValue
        if config.format.isBlockwise, config.blockSize != .b64 {
            type += "/\(config.blockSize.rawValue)"
        }
        if config.absmax == .doubleQuantized { type += "-dq" }
        self.init(
            name: stored.names.weight,
            type: type,
            shape: [stored.rowCount, stored.columnCount],
            elementCount: stored.rowCount * stored.columnCount,
            storedByteCount: stored.storedByteCount,
            file: file
        )
    }
}
