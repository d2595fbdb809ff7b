#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

internal import Machine
internal import SIMDKernels

/// Rotates pairs of channels by angles that grow with the position (Su and others 2021, equation 34), the
/// first half of a head's channels paired with the second, as Hugging Face's models have it.
///
/// Angles are products of float32, as in the reference: far positions would differ otherwise.
public struct RotaryEmbedding: Sendable {
    /// The angle from one position to the next, for each pair of channels.
    public let frequencies: [Float]
    /// A factor of cosines and sines; 1 but for YaRN.
    public let magnitude: Float

    /// Makes a rotation by given angles.
    public init(frequencies: [Float], magnitude: Float = 1) {
        self.frequencies = frequencies
        self.magnitude = magnitude
    }

    /// Cosines and sines of some positions, a row for each.
    struct Angles: Sendable {
        fileprivate(set) var cosines: [Float] = []
        fileprivate(set) var sines: [Float] = []

        /// The angles that turn gradients back: a rotation's matrix, transposed.
        var reversed: Self {
            var reversed = self
            reversed.sines = sines.map { -$0 }
            return reversed
        }
    }

    /// Computes the angles of positions.
    func angles(of positions: [Int]) -> Angles {
        var angles = Angles()
        angles.cosines.reserveCapacity(positions.count * frequencies.count)
        angles.sines.reserveCapacity(positions.count * frequencies.count)
        for position in positions {
            for frequency in frequencies {
                let angle = Float(position) * frequency
                angles.cosines.append(cosf(angle) * magnitude)
                angles.sines.append(sinf(angle) * magnitude)
            }
        }
        return angles
    }

    /// Rotates all heads of rows.
    /// - Parameters:
    ///   - angles: of the positions.
    ///   - x: a row for each position, heads of `width` channels.
    ///   - width: the channels of a head.
    ///   - workers: the threads.
    func apply(
        _ angles: Angles,
        to x: inout MutableSpan<Float>,
        width: Int,
        on workers: WorkerPool
    ) {
        let count = frequencies.count
        let rows = angles.cosines.count / max(count, 1)
        guard rows > 0 else { return }
        let rowWidth = x.count / rows
        let rowsOfTile = 16
        workers.perform(writing: &x, every: rowsOfTile * rowWidth) { index, _, tile in
            let first = index * rowsOfTile * count
            let range = first..<first + tile.count / rowWidth * count
            TransformerKernel.selected.rotate(
                &tile,
                width: width,
                half: count,
                cosines: angles.cosines[range],
                sines: angles.sines[range]
            )
        }
    }
}
