public import CheckpointIO
public import Quant

/// Scratch memory of layers: kept by whoever runs them, so that none allocates once sizes are known.
public struct LayerWorkspace: ~Copyable {
    /// Scratch memory of products with weights.
    public var products: ProductWorkspace
    /// For products with changes of low rank.
    var inner: [Float] = []
    private var unused: [[Float]] = []

    /// Makes an empty workspace; it grows with the first layers.
    /// - Throws: `limit.memory`.
    public init() throws(CheckpointError) {
        products = try ProductWorkspace()
    }

    /// The bytes of all buffers that are not lent.
    package var byteCount: Int {
        unused.reduce(products.byteCount + 4 * inner.capacity) { $0 + 4 * $1.capacity }
    }

    /// Lends a buffer of so many numbers, whose values are anything.
    package mutating func take(_ count: Int) -> [Float] {
        // The smallest that is large enough, or else the largest, which grows.
        let place =
            unused.indices.filter { unused[$0].capacity >= count }
            .min { unused[$0].capacity < unused[$1].capacity }
            ?? unused.indices.max { unused[$0].capacity < unused[$1].capacity }
        var buffer = place.map { unused.remove(at: $0) } ?? []
        if buffer.count > count {
            buffer.removeLast(buffer.count - count)
        } else {
            buffer.append(contentsOf: repeatElement(0, count: count - buffer.count))
        }
        return buffer
    }

    /// Takes a buffer back.
    package mutating func giveBack(_ buffer: consuming [Float]) {
        unused.append(buffer)
    }
}
