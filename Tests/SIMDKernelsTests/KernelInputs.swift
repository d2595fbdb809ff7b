import SIMDKernels
import Tensors
import TestSupport

/// Code tables with the structure of the real ones and other numbers: a kernel takes them as they
/// come.
enum TestCodebook: CaseIterable {
    case ascending, shuffled, signAndMagnitude

    var codebook: Codebook4Bit {
        switch self {
        case .ascending: Self.table(codeOfRank: Array(0..<16))
        case .shuffled: Self.table(codeOfRank: (0..<16).map { UInt8($0 * 7 % 16) })
        case .signAndMagnitude: Self.signed
        }
    }

    /// Uneven steps, as in NF4.
    private static func table(codeOfRank: [UInt8]) -> Codebook4Bit {
        let sorted = (0..<16).map { rank -> Float in
            let t = Float(rank - 7) / 8
            return (t + t * t * t) / 2
        }
        var values = [Float](repeating: 0, count: 16)
        for (rank, code) in codeOfRank.enumerated() { values[Int(code)] = sorted[rank] }
        return Codebook4Bit(
            values: values,
            thresholds: zip(sorted, sorted.dropFirst()).map { ($0 + $1) * 0.5 },
            codeOfRank: codeOfRank,
            rule: .ascending
        )
    }

    /// Codes that do not ascend with the magnitude, as in FP4.
    private static let signed: Codebook4Bit = {
        let magnitudes: [Float] = [0, 0.01, 0.15, 0.27, 0.31, 0.55, 0.7, 1]
        let codes: [UInt8] = [0, 1, 6, 7, 4, 5, 2, 3]
        var values = [Float](repeating: 0, count: 16)
        for (rank, code) in codes.enumerated() {
            values[Int(code)] = magnitudes[rank]
            values[Int(code) + 8] = -magnitudes[rank]
        }
        return Codebook4Bit(
            values: values,
            thresholds: zip(magnitudes, magnitudes.dropFirst()).map { ($0 + $1) * 0.5 },
            codeOfRank: codes,
            rule: .signAndMagnitude
        )
    }()
}

/// Elements for tests of kernels, a different kind in each run of `blockSize`.
struct KernelInput {
    /// The kinds of runs, each of which a kernel could get wrong in its own way.
    enum Kind: CaseIterable {
        case normal, ties, zeros, negativeZeros, oneHuge, tiny, subnormal, huge, nan, infinity
    }

    /// The buffer of elements.
    let bytes: [UInt8]
    /// Its elements, widened.
    let elements: [Float]

    init(
        count: Int,
        blockSize: Int,
        as element: FloatDType,
        thresholds: [Float],
        seed: UInt64
    ) {
        var generator = SeededGenerator(seed: seed)
        var values: [Float] = []
        values.reserveCapacity(count)
        while values.count < count {
            // Half of the runs are ordinary ones.
            let kind =
                Bool.random(using: &generator)
                ? Kind.normal : Kind.allCases.randomElement(using: &generator) ?? .normal
            var run = (0..<min(blockSize, count - values.count)).map { _ in
                Self.value(kind, thresholds, &generator)
            }
            let position = Int.random(in: run.indices, using: &generator)
            switch kind {
            case .oneHuge: run[position] = element == .float16 ? 6e4 : 3e38
            case .nan:
                for _ in 0..<3 {
                    run[Int.random(in: run.indices, using: &generator)] = .nan
                }
            case .infinity: run[position] = Bool.random(using: &generator) ? .infinity : -.infinity
            case .ties: run[position] = 1
            default: break
            }
            values += run
        }
        var bytes = ReferenceFloat.bytes(of: values, as: element)
        // NaNs of both signs, quiet and signalling, with many payloads: the upper 16 bits of the
        // element are between infinity and all ones.
        let infinity: UInt16 = element == .float16 ? 0x7C00 : 0x7F80
        for index in values.indices where values[index].isNaN {
            let bits =
                UInt16.random(in: infinity + 1...0x7FFF, using: &generator)
                | (Bool.random(using: &generator) ? 0x8000 : 0)
            let end = (index + 1) * element.byteCount
            bytes[end - 2] = UInt8(truncatingIfNeeded: bits)
            bytes[end - 1] = UInt8(bits >> 8)
        }
        self.bytes = bytes
        elements = ReferenceFloat.values(in: bytes, as: element)
    }

    private static func value(
        _ kind: Kind,
        _ thresholds: [Float],
        _ generator: inout SeededGenerator
    ) -> Float {
        let uniform = Float.random(in: -1...1, using: &generator)
        switch kind {
        case .normal, .oneHuge, .nan, .infinity:
            let sum = (0..<6).reduce(Float(0)) { sum, _ in
                sum + Float.random(in: -1...1, using: &generator)
            }
            return sum * 0.02
        case .ties:
            let tie = thresholds.randomElement(using: &generator) ?? 0
            let near = [tie, tie.nextUp, tie.nextDown].randomElement(using: &generator) ?? tie
            return Bool.random(using: &generator) ? near : -near
        case .zeros: return 0
        case .negativeZeros: return -0.0
        case .tiny: return uniform * 1e-36
        case .subnormal: return uniform * .leastNormalMagnitude
        case .huge: return uniform * 3e38
        }
    }
}

extension GuardedBuffer {
    /// Makes a buffer with the bytes of floats.
    convenience init(floats: [Float], at side: Side = .back) {
        self.init(ReferenceFloat.bytes(of: floats, as: .float32), at: side)
    }

    /// The bytes, for a kernel to read.
    var span: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }

    /// The bytes as floats; the buffer must be aligned for them.
    var floats: UnsafeMutableBufferPointer<Float> { bytes.bindMemory(to: Float.self) }
}
