import Models
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

extension LayerCase {
    /// A matrix of the case.
    func matrix(_ name: String) throws -> Matrix {
        let shape = try shape(name)
        return Matrix(
            rowCount: shape.dropLast().reduce(1, *),
            columnCount: shape.last ?? 1,
            elements: try numbers(name)
        )
    }

    /// The adapters of a linear layer.
    func linearAdapters() throws -> [LoRAAdapter] {
        try fields.adapters.enumerated().map { index, adapter in
            LoRAAdapter(
                a: try matrix("a\(index).A"),
                b: try matrix("a\(index).B"),
                bias: try tensor("a\(index).lora_bias").map { _ in
                    try numbers("a\(index).lora_bias")
                },
                magnitude: try tensor("a\(index).m").map { _ in try numbers("a\(index).m") },
                scaling: adapter.scaling,
                dropout: adapter.dropout
            )
        }
    }

    /// The masks of dropout, if the case trains with them.
    func dropout() throws -> Dropout {
        guard tensor("a0.mask") != nil else { return .off }
        return .kept(
            try fields.adapters.indices.map { index in
                try tensor("a\(index).mask") == nil
                    ? [] : numbers("a\(index).mask").map { $0 != 0 }
            }
        )
    }

    /// The base: a quantized weight if the case has codes, else a dense one.
    ///
    /// The reference rounds a quantized weight of bfloat16 origin to bfloat16 when it decodes it;
    /// `decoded` gives that as a dense weight.
    func base(decoded: Bool = false) throws -> Linear {
        let bias = try tensor("bias").map { _ in try numbers("bias") }
        if !decoded, let weight = try quantizedWeight() {
            return Linear(try PreparedWeight(weight), bias: bias)
        }
        let dtype: FloatDType =
            switch fields.dtype {
            case "bf16": .bfloat16
            case "f16": .float16
            default: .float32
            }
        let isTransposed = ["fan", "Conv1D"].contains(fields.kind)
        let weight = try matrix(tensor("W") == nil ? "W_dequantized" : "W")
        let stored = isTransposed ? weight.transposed() : weight
        return Linear(DenseWeight(stored, as: dtype, isTransposed: isTransposed), bias: bias)
    }

    /// The offset of nested scales, where the case does not give it: the first block's largest element
    /// is its scale.
    private func nestedOffset() throws -> Float {
        let nested = DoubleQuantizedAbsmax(
            codes: try #require(tensor("absmax")).bytes,
            absmax: try numbers("nested_absmax"),
            offset: 0
        )
        let largest = try numbers("W").prefix(64).reduce(0) { max($0, $1.magnitude) }
        return largest - nested.restored()[0]
    }

    private func quantizedWeight() throws -> QuantizedMatrix? {
        let shape = try tensor("W").map { $0.shape } ?? shape("W_dequantized")
        let dtype: FloatDType = fields.dtype == "bf16" ? .bfloat16 : .float32
        if let codes = tensor("CB")?.bytes {
            return QuantizedMatrix(
                rowCount: shape[0],
                columnCount: shape[1],
                config: QuantizationConfig(.int8Vectorwise),
                dtype: dtype,
                codes: codes,
                absmax: .float32(try numbers("SCB"))
            )
        }
        guard let codes = tensor("packed")?.bytes else { return nil }
        let absmax: Absmax
        if let nested = tensor("nested_absmax") {
            absmax = .doubleQuantized(
                DoubleQuantizedAbsmax(
                    codes: try #require(tensor("absmax")).bytes,
                    absmax: nested.floats,
                    offset: try fields.nestedOffset.map { Float($0) } ?? nestedOffset()
                )
            )
        } else {
            absmax = .float32(try numbers("absmax"))
        }
        return QuantizedMatrix(
            rowCount: shape[0],
            columnCount: shape[1],
            config: QuantizationConfig(
                fields.format == "fp4" ? .fp4 : .nf4,
                blockSize: .b64,
                absmax: fields.isNested ? .doubleQuantized : .float32
            ),
            dtype: dtype,
            codes: codes,
            absmax: absmax
        )
    }
}

/// Compares with the golden values by the tolerances written with them.
struct GoldenTolerance {
    /// A share of the largest expected value.
    let share: Float

    func check(
        _ found: [Float],
        _ expected: [Float],
        _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(found.count == expected.count, "\(what)", sourceLocation: sourceLocation)
        let bound = share * expected.reduce(0) { max($0, $1.magnitude) }
        let worst = zip(found, expected).map { ($0 - $1).magnitude }.max() ?? 0
        let hasNaN = found.contains(where: \.isNaN)
        #expect(
            worst <= bound && !hasNaN,
            "\(what): off by \(worst), allowed \(bound)",
            sourceLocation: sourceLocation
        )
    }

    /// Checks that numbers rounded to a 16-bit type are within so many units of the last place of the
    /// larger of the expected value and another one.
    static func checkUnits(
        _ found: [Float],
        _ expected: [Float],
        largest: [Float],
        units: Float,
        precision: Int,
        _ what: String
    ) {
        #expect(found.count == expected.count, "\(what)")
        for index in expected.indices {
            let scale = max(expected[index].magnitude, largest[index].magnitude)
            let unit = scale == 0 ? 0 : Float(sign: .plus, exponent: scale.exponent, significand: 1)
            let bound =
                (units + 0.5) * unit * Float(sign: .plus, exponent: 1 - precision, significand: 1)
            #expect(
                (found[index] - expected[index]).magnitude <= bound,
                "\(what)[\(index)]: \(found[index]) instead of \(expected[index])"
            )
        }
    }
}
