internal import Tensors

/// Combines tensors of one shape element by element, in float32.
struct TensorCombination {
    let kind: CombinationOptions.Kind
    /// Nil, and 1 or more, keep everything.
    let density: Double?
    let majoritySign: CombinationOptions.MajoritySign
    /// Which elements of a tensor are kept at random, by its place among all of the module.
    let keeps: @Sendable (_ place: Int, _ count: Int, _ density: Double) -> [Bool]

    /// Returns `Σ wᵢ Tᵢ`, of pruned or thinned tensors, by a sign that was elected before weights came in.
    /// - Parameters:
    ///   - tensors: of equal shapes.
    ///   - weights: as many.
    ///   - firstPlace: of the first tensor among all of the module.
    /// - Returns: a tensor of the same shape.
    func combined(_ tensors: [Matrix], weights: [Float], firstPlace: Int) -> Matrix {
        let thinned = tensors.enumerated().map { self.thinned($1.elements, firstPlace + $0) }
        var result = Matrix(rowCount: tensors[0].rowCount, columnCount: tensors[0].columnCount)
        let sign = kind.elects ? elected(thinned) : []
        result.withMutableElements { result in
            for index in result.indices {
                var (sum, count): (Float, Float) = (0, 0)
                for (tensor, weight) in zip(thinned, weights) {
                    if kind.elects {
                        guard Self.sign(tensor[index]) == sign[index] else { continue }
                        count += 1
                    }
                    sum += weight * tensor[index]
                }
                result[index] = kind.elects ? sum / max(count, 1) : sum
            }
        }
        return result
    }

    private func thinned(_ elements: [Float], _ place: Int) -> [Float] {
        guard let density, density < 1 else { return elements }
        if kind.prunes { return pruned(elements, density) }
        guard kind.drops else { return elements }
        let kept = keeps(place, elements.count, density)
        let factor = Float(density)
        return zip(elements, kept).map { $1 ? $0 / factor : 0 }
    }

    /// Keeps the largest by magnitude; of equal ones those that come first.
    private func pruned(_ elements: [Float], _ density: Double) -> [Float] {
        let count = Int(density * Double(elements.count))
        let order = elements.indices.sorted { left, right in
            let (a, b) = (elements[left].magnitude, elements[right].magnitude)
            return a == b ? left < right : a > b
        }
        var result = [Float](repeating: 0, count: elements.count)
        for index in order.prefix(count) { result[index] = elements[index] }
        return result
    }

    /// The sign of each element that most have, or that the sum has; + for zero.
    private func elected(_ tensors: [[Float]]) -> [Float] {
        tensors[0].indices.map { index in
            let total = tensors.reduce(Float(0)) { sum, tensor in
                sum + (majoritySign == .total ? tensor[index] : Self.sign(tensor[index]))
            }
            return total >= 0 ? 1 : -1
        }
    }

    private static func sign(_ value: Float) -> Float { value > 0 ? 1 : value < 0 ? -1 : 0 }
}
