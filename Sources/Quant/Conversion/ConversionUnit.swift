internal import CheckpointIO
internal import Tensors

/// A tensor of the plan with the work that it takes.
struct ConversionUnit: Sendable {
    let name: Name
    let shape: [Int]
    let sourceType: String
    let sourceByteCount: Int
    let action: TensorAction
    let job: any WritingJob
    /// The tensors that are written, the weight first.
    let outputs: [TensorDescription]
    /// Those whose length shows at the end.
    var lateOutputs: [SafetensorsLayout.LateTensor] = []

    /// The bytes of all of them, late ones at their longest.
    var outputByteCount: Int {
        outputs.reduce(0) { $0 + $1.byteCount }
            + lateOutputs.reduce(0) { $0 + $1.maximumByteCount }
    }

    /// The names of everything that is written.
    var outputNames: [Name] { outputs.map(\.name) + lateOutputs.map(\.name) }

    /// The plan's line for it.
    func planned(inFile fileIndex: Int) -> ConversionPlan.Tensor {
        ConversionPlan.Tensor(
            name: name,
            shape: shape,
            sourceType: sourceType,
            sourceByteCount: sourceByteCount,
            action: action,
            outputByteCount: outputByteCount,
            sideByteCount: outputByteCount - (outputs.first?.byteCount ?? 0),
            fileIndex: fileIndex
        )
    }
}
