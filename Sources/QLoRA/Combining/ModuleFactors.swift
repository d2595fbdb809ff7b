internal import LinearAlgebra
internal import Tensors

/// The factors that adapters have of one module, flattened to matrices.
struct ModuleFactors {
    let kind: ModuleTree.Kind
    /// `wᵢ · sᵢ`, `A` and `B` of each, in their order.
    private let terms: [(weight: Double, scaling: Double, a: Matrix, b: Matrix)]
    /// The shapes in the file where they are no matrices.
    private let fileShapes: (a: [Int], b: [Int])?

    /// Collects what adapters have of a module.
    init(
        _ module: String,
        _ sources: [AdapterFactors],
        _ parts: [AdapterCombination.Part]
    ) {
        let own = zip(sources, parts).compactMap { factors, part in
            factors.layers.first { $0.module == module }.map { (layer: $0, weight: part.weight) }
        }
        terms = own.map { layer, weight in
            (weight, layer.adapter.scaling, layer.adapter.a, layer.adapter.b)
        }
        guard let first = own.first?.layer else { preconditionFailure("no adapter has \(module)") }
        kind = first.kind
        fileShapes = first.shapes
    }

    /// The shapes in the file for another rank.
    func shapes(rank: Int) -> (a: [Int], b: [Int])? {
        fileShapes.map { shapes in
            ([rank] + shapes.a.dropFirst(), [shapes.b[0], rank] + shapes.b.dropFirst(2))
        }
    }

    func combined(
        _ combiner: TensorCombination,
        _ options: CombinationOptions,
        rank: Int
    ) throws(LinearAlgebraError) -> (a: Matrix, b: Matrix) {
        switch options.kind {
        case .cat: return concatenated(rank: rank)
        case .svd: return Self.clamped(try decomposed(rank: rank), options.clamp)
        case let kind where kind.isSVD:
            let deltas = terms.map { term in
                LoRAAdapter(a: term.a, b: term.b, scaling: term.scaling).delta(on: .single)
            }
            let delta = combiner.combined(
                deltas,
                weights: terms.map { Float($0.weight) },
                firstPlace: 0
            )
            let svd = try TruncatedSVD(of: delta, count: rank)
            return Self.clamped((svd.right, Self.scaled(svd)), options.clamp)
        default:
            let products = terms.map { $0.weight * $0.scaling }
            let roots = products.map { Float($0.magnitude.squareRoot()) }
            let signed = zip(products, roots).map { $0 < 0 ? -$1 : $1 }
            // The ranks of a module may be others than those of the adapters, but are equal.
            return (
                combiner.combined(terms.map(\.a), weights: signed, firstPlace: 0),
                combiner.combined(terms.map(\.b), weights: roots, firstPlace: terms.count)
            )
        }
    }

    /// Rows of `A` times `w` and then `s`, columns of `B` as they are; zeros up to the rank.
    private func concatenated(rank: Int) -> (a: Matrix, b: Matrix) {
        var a = Matrix(rowCount: rank, columnCount: terms[0].a.columnCount)
        var b = Matrix(rowCount: terms[0].b.rowCount, columnCount: rank)
        var place = 0
        for term in terms {
            let (weight, scaling) = (Float(term.weight), Float(term.scaling))
            for row in 0..<term.a.rowCount {
                for column in 0..<a.columnCount {
                    a[place + row, column] = term.a[row, column] * weight * scaling
                }
                for output in 0..<b.rowCount { b[output, place + row] = term.b[output, row] }
            }
            place += term.a.rowCount
        }
        return (a, b)
    }

    /// The nearest of a rank to `Σ wᵢ sᵢ Bᵢ Aᵢ`, which is a product of the factors side by side.
    private func decomposed(rank: Int) throws(LinearAlgebraError) -> (a: Matrix, b: Matrix) {
        let all = concatenated(rank: terms.reduce(0) { $0 + $1.a.rowCount })
        let svd = try TruncatedSVD(ofProduct: all.b, all.a, count: rank)
        return (svd.right, Self.scaled(svd))
    }

    /// `U · diag(σ)`: the singular values stay whole in `B`.
    private static func scaled(_ svd: TruncatedSVD) -> Matrix {
        var b = svd.left
        for row in 0..<b.rowCount {
            for (index, value) in svd.values.enumerated() { b[row, index] *= value }
        }
        return b
    }

    /// Clamps both to the quantile of all of their values, with their signs, by linear interpolation.
    static func clamped(_ factors: (a: Matrix, b: Matrix), _ quantile: Double?) -> (
        a: Matrix, b: Matrix
    ) {
        guard let quantile else { return factors }
        let values = (factors.b.elements + factors.a.elements).sorted()
        let place = quantile * Double(values.count - 1)
        let (low, high) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
        let limit = values[low] + Float(place - Double(low)) * (values[high] - values[low])
        func clamp(_ matrix: Matrix) -> Matrix {
            Matrix(
                rowCount: matrix.rowCount,
                columnCount: matrix.columnCount,
                elements: matrix.elements.map { max(-limit, min(limit, $0)) }
            )
        }
        return (clamp(factors.a), clamp(factors.b))
    }
}
