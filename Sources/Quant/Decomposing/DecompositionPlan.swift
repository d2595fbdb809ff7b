internal import CheckpointIO
internal import Tensors

/// The weights of a run that are split, and the file beside the model.
///
/// Each is written to a file of its own first, so that a run that is stopped has lost no more than the
/// weight that it was at; the files of the model, and the one beside it, are put together of those.
struct DecompositionPlan: Sendable {
    let jobs: [DecompositionJob]
    let decomposer: any WeightDecomposer
    private let positions: [Name: Int]

    init(_ jobs: [DecompositionJob], _ decomposer: any WeightDecomposer) {
        self.jobs = jobs
        self.decomposer = decomposer
        positions = Dictionary(uniqueKeysWithValues: jobs.enumerated().map { ($1.name, $0) })
    }

    var sideFile: SideFile { decomposer.sideFile }

    /// The tensors of the file beside the model.
    var sideTensors: [TensorDescription] {
        jobs.flatMap { decomposer.sideTensors(of: $0.name) }
    }

    /// The bytes of the file beside the model, without its header.
    var sideByteCount: Int { sideTensors.reduce(0) { $0 + $1.byteCount } }

    /// The name of the file that holds the result for one weight.
    func partName(_ index: Int) -> String {
        let number = String(index + 1)
        return ".part-" + String(repeating: "0", count: max(0, 5 - number.count)) + number
    }

    /// The name of the file that holds the result for a weight; nil if it is not split.
    func partName(of name: Name) -> String? { positions[name].map(partName) }

    /// Everything that is made on the way or in the end.
    var fileNames: [String] {
        [sideFile.path] + sideFile.texts.map(\.path) + jobs.indices.map(partName)
    }
}
