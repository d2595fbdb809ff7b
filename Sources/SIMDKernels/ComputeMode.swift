internal import CSIMDKernels
internal import Machine
internal import Tensors

/// How the numbers of a product are rounded before they are multiplied.
public enum ComputeMode: String, Sendable, Hashable, CaseIterable {
    /// Values of codes and activations in float32, every product and sum one fused multiply-add.
    case float32
    /// Both rounded to bfloat16, products exact, sums in float32: what QLoRA calls compute dtype.
    case bfloat16
    /// Activations rounded to multiples of a step that at most 64 of them share, values of codes to
    /// multiples of one step, both at most 127; products and their sums are integers. The fastest, and
    /// several times as inexact as bfloat16. Gradients have no such mode.
    case int8
}

extension ComputeMode {
    /// Its place in `allCases`.
    var index: Int {
        switch self {
        case .float32: 0
        case .bfloat16: 1
        case .int8: 2
        }
    }

    /// Rounds rows of activations as the mode does; int8 in runs of at most 64 of a row, without the
    /// outliers: magnitudes of at least the threshold.
    package func round(_ x: inout [Float], columnCount: Int, outlierThreshold: Float? = nil) {
        switch self {
        case .float32: break
        case .bfloat16:
            let kernel = ConvertFloatKernel.selected
            let byteCount = 2 * x.count
            var narrow = [Float](repeating: 0, count: (x.count + 1) / 2)
            narrow.withMutableFloatBytes { bytes in
                var narrow = bytes._mutatingExtracting(0..<byteCount)
                x.withFloatBytes {
                    _ = kernel.convert($0, as: .float32, into: &narrow, as: .bfloat16)
                }
            }
            narrow.withFloatBytes { bytes in
                let narrow = bytes.extracting(0..<byteCount)
                x.withMutableFloatBytes {
                    _ = kernel.convert(narrow, as: .bfloat16, into: &$0, as: .float32)
                }
            }
        case .int8:
            let run = Int(QK_INT8_RUN)
            for start in stride(from: 0, to: x.count, by: max(columnCount, 1)) {
                for first in stride(from: start, to: start + columnCount, by: run) {
                    Self.roundRun(
                        &x[first..<min(first + run, start + columnCount)],
                        outlierThreshold
                    )
                }
            }
        }
    }

    /// Rounds all but outliers to multiples, at most 127, of a 127th of their largest magnitude; to NaN if
    /// one of them is not finite.
    private static func roundRun(_ run: inout ArraySlice<Float>, _ outlierThreshold: Float?) {
        let places = run.indices.filter { place in
            !(outlierThreshold.map { run[place].magnitude >= $0 } ?? false)
        }
        guard places.allSatisfy({ run[$0].isFinite }) else {
            for place in places { run[place] = .nan }
            return
        }
        let largest = places.reduce(0) { max($0, run[$1].magnitude) }
        for place in places {
            let multiple = (run[place] * (127 / largest)).rounded(.toNearestOrEven)
            run[place] = largest < QK_INT8_LEAST ? 0 : multiple * (largest / 127)
        }
    }
}
