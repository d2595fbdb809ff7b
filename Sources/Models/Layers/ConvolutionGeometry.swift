/// The sizes of a convolution over one, two or three dimensions, and how it becomes a linear layer over
/// patches.
///
/// Activations lie as `[samples, channels, dimensions…]`. A patch is what one output sees: `[channels,
/// kernel…]`, zeros beyond the edges.
public struct ConvolutionGeometry: Sendable, Hashable {
    /// What is added at the edges.
    public enum Padding: Sendable, Hashable {
        /// So many zeros at both ends of each dimension.
        case zeros([Int])
        /// As many as keep the sizes, the odd one at the end.
        case same
    }

    /// The lengths of the kernel.
    public let kernel: [Int]
    /// The step of each dimension.
    public let stride: [Int]
    /// The distance of the kernel's elements in each dimension.
    public let dilation: [Int]
    /// What is added at the edges.
    public let padding: Padding

    /// Describes a convolution; single numbers hold for every dimension.
    /// - Precondition: one to three dimensions, all counts positive; `same` goes with a stride of 1.
    public init(
        kernel: [Int],
        stride: [Int] = [1],
        dilation: [Int] = [1],
        padding: Padding = .zeros([0])
    ) {
        let count = kernel.count
        func full(_ values: [Int]) -> [Int] {
            values.count == 1 ? [Int](repeating: values[0], count: count) : values
        }
        self.kernel = kernel
        self.stride = full(stride)
        self.dilation = full(dilation)
        if case .zeros(let zeros) = padding {
            self.padding = .zeros(full(zeros))
        } else {
            self.padding = padding
            precondition(self.stride.allSatisfy { $0 == 1 }, "same padding with steps of \(stride)")
        }
        precondition((1...3).contains(count), "\(count) dimensions")
        precondition(
            (self.kernel + self.stride + self.dilation).allSatisfy { $0 > 0 }
                && self.stride.count == count && self.dilation.count == count,
            "a kernel of \(kernel), steps \(stride), dilation \(dilation)"
        )
    }

    /// The elements of the kernel, for one channel.
    public var kernelCount: Int { kernel.reduce(1, *) }

    /// The zeros before and after each dimension.
    private var edges: [(before: Int, after: Int)] {
        switch padding {
        case .zeros(let zeros): zeros.map { ($0, $0) }
        case .same:
            zip(kernel, dilation).map { kernel, dilation in
                let total = dilation * (kernel - 1)
                return (total / 2, total - total / 2)
            }
        }
    }

    /// Returns the lengths of the outputs for those of the inputs.
    /// - Precondition: as many dimensions as the kernel, each long enough.
    public func outputLengths(_ lengths: [Int]) -> [Int] {
        precondition(lengths.count == kernel.count, "\(lengths) for a kernel of \(kernel)")
        return lengths.indices.map { place in
            let edge = edges[place]
            let span =
                lengths[place] + edge.before + edge.after - dilation[place] * (kernel[place] - 1)
            precondition(span > 0, "\(lengths) are too short for a kernel of \(kernel)")
            return (span - 1) / stride[place] + 1
        }
    }

    /// Returns all patches: a row for each sample and output, a column for each channel and element.
    /// - Parameters:
    ///   - x: `[samples, channels, lengths…]`.
    ///   - samples: the samples.
    ///   - channels: the channels.
    ///   - lengths: of the dimensions.
    /// - Returns: `samples · outputs` rows of `channels · kernelCount` numbers.
    public func patches(
        of x: [Float],
        samples: Int,
        channels: Int,
        lengths: [Int]
    ) -> [Float] {
        let width = channels * kernelCount
        let rows = samples * outputLengths(lengths).reduce(1, *)
        var result = [Float](repeating: 0, count: rows * width)
        forEachElement(samples, channels, lengths) { place, index in result[place] = x[index] }
        return result
    }

    /// Adds patches up where they came from: the transpose of `patches`.
    /// - Parameters:
    ///   - patches: as `patches` returns them.
    ///   - samples: the samples.
    ///   - channels: the channels.
    ///   - lengths: of the dimensions.
    /// - Returns: `[samples, channels, lengths…]`.
    public func sum(
        ofPatches patches: [Float],
        samples: Int,
        channels: Int,
        lengths: [Int]
    ) -> [Float] {
        var result = [Float](repeating: 0, count: samples * channels * lengths.reduce(1, *))
        forEachElement(samples, channels, lengths) { place, index in result[index] += patches[place]
        }
        return result
    }

    /// Calls `body` with the place in the patches and in the activations of each element that is not
    /// beyond an edge, in the order of the patches.
    private func forEachElement(
        _ samples: Int,
        _ channels: Int,
        _ lengths: [Int],
        _ body: (_ place: Int, _ index: Int) -> Void
    ) {
        // Dimensions that are not there have length 1.
        func three(_ values: [Int], _ filler: Int) -> [Int] {
            [Int](repeating: filler, count: 3 - values.count) + values
        }
        let (size, window, step, gap) = (
            three(lengths, 1), three(kernel, 1), three(stride, 1), three(dilation, 1)
        )
        let before = three(edges.map(\.before), 0)
        let outputs = three(outputLengths(lengths), 1)
        let volume = size.reduce(1, *)
        var place = 0
        for sample in 0..<samples {
            for output in 0..<outputs.reduce(1, *) {
                let position = [
                    output / (outputs[1] * outputs[2]), output / outputs[2] % outputs[1],
                    output % outputs[2],
                ]
                for channel in 0..<channels {
                    for element in 0..<window.reduce(1, *) {
                        let offset = [
                            element / (window[1] * window[2]), element / window[2] % window[1],
                            element % window[2],
                        ]
                        let source = (0..<3).map {
                            position[$0] * step[$0] + offset[$0] * gap[$0] - before[$0]
                        }
                        if (0..<3).allSatisfy({ 0..<size[$0] ~= source[$0] }) {
                            let index = (source[0] * size[1] + source[1]) * size[2] + source[2]
                            body(place, (sample * channels + channel) * volume + index)
                        }
                        place += 1
                    }
                }
            }
        }
    }
}
