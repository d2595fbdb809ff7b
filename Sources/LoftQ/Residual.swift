internal import LinearAlgebra
internal import Machine
internal import QLoRA
internal import Quant
internal import Tensors

// What the alternation does with a weight, in place and on all threads.
extension Matrix {
    /// The elements of a tile: whole rows.
    private var tileElementCount: Int { max(1, (1 << 18) / max(columnCount, 1)) * columnCount }

    /// Takes over the elements of a matrix of the same shape.
    mutating func assign(_ other: Matrix, on workers: WorkerPool) {
        let tile = tileElementCount
        withMutableElements { elements in
            workers.perform(writing: &elements, every: tile) { index, _, own in
                let range = index * tile..<index * tile + own.count
                other.elements.withFloatSpan { Rows.copy($0.extracting(range), into: &own) }
            }
        }
    }

    /// Subtracts what a quantized weight decodes to.
    mutating func subtract(_ quantized: QuantizedMatrix, on workers: WorkerPool) {
        let scales = quantized.absmax.values
        let tile = tileElementCount
        withMutableElements { elements in
            workers.perform(writing: &elements, every: tile) { index, _, own in
                let decoded = quantized.decoded(
                    index * tile..<index * tile + own.count,
                    scales: scales
                )
                decoded.withFloatSpan { Rows.subtract($0, from: &own) }
            }
        }
    }

    /// Subtracts `s B A`.
    mutating func subtract(_ adapter: LoRAAdapter, on workers: WorkerPool) {
        let scale = -Float(adapter.scaling)
        BLAS.addProduct(adapter.b, adapter.a, to: &self, scale: scale, on: workers)
    }

    /// The Frobenius norm, summed in Double.
    func norm(on workers: WorkerPool) -> Double {
        let tile = max(tileElementCount, 1)
        let sums = workers.map((elements.count + tile - 1) / tile) { index, _ in
            let range = index * tile..<min((index + 1) * tile, elements.count)
            return elements.withFloatSpan { Rows.sumOfSquares($0.extracting(range)) }
        }
        return sums.reduce(0, +).squareRoot()
    }
}
