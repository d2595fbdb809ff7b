public import SIMDKernels

/// How a text is cut to be evaluated.
public struct EvaluationOptions: Sendable {
    /// Tokens that a model sees at once; at most its context.
    public var windowTokenCount: Int
    /// From the beginning of a window to that of the next.
    ///
    /// Tokens that windows share are predicted in the first of them, so that all but the first window's
    /// have `window - stride` tokens before them at least.
    public var strideTokenCount: Int
    /// How operands of products are rounded.
    public var mode: ComputeMode

    /// Makes options.
    /// - Precondition: the stride is from 1 to the window.
    public init(
        windowTokenCount: Int = 1024,
        strideTokenCount: Int = 512,
        mode: ComputeMode = .bfloat16
    ) {
        precondition(
            1...windowTokenCount ~= strideTokenCount && windowTokenCount > 1,
            "windows of \(windowTokenCount) tokens every \(strideTokenCount)"
        )
        self.windowTokenCount = windowTokenCount
        self.strideTokenCount = strideTokenCount
        self.mode = mode
    }

    /// A window: tokens that pass together, and how many of them, at the end, are predicted.
    struct Window: Hashable {
        let tokens: Range<Int>
        let predictedCount: Int
    }

    /// Cuts so many tokens into windows.
    func windows(tokenCount: Int) -> [Window] {
        var windows: [Window] = []
        var end = 0
        for start in stride(from: 0, to: tokenCount, by: strideTokenCount) where end < tokenCount {
            let last = min(start + windowTokenCount, tokenCount)
            // Nothing tells the first token of a window.
            let predicted = min(last - end, last - start - 1)
            if predicted > 0 {
                windows.append(Window(tokens: start..<last, predictedCount: predicted))
            }
            end = last
        }
        return windows
    }
}
