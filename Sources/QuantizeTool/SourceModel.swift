internal import CheckpointIO
internal import Machine
internal import Tensors

/// Opens the models that commands are given.
enum SourceModel {
    /// How much a model has to conform to its `config.json`.
    enum Strictness {
        /// It has to be of a known architecture, and complete.
        case known
        /// An architecture that is not known is all right; a known one has to be complete.
        case knownOrAny
        /// Any tensors will do.
        case any
    }

    /// Opens a model; what is odd about it the command has to say.
    ///
    /// - Throws: `CheckpointError` that names the file and the place.
    static func open(
        _ path: String,
        _ strictness: Strictness,
        followsLinks: Bool,
        readsTokenizer: Bool = false,
        budget: MemoryBudget,
        on console: Console
    ) throws(CheckpointError) -> Checkpoint {
        var options = Checkpoint.Options(
            followsLinks: followsLinks,
            allowsAnyArchitecture: strictness == .any
        )
        options.readsTokenizer = readsTokenizer
        options.budget = budget
        do {
            return try Checkpoint(at: path, options: options)
        } catch {
            guard strictness == .knownOrAny, error.code == .configUnsupported else { throw error }
            console.note("note: \(error.message); nothing is checked against config.json")
            options.allowsAnyArchitecture = true
            return try Checkpoint(at: path, options: options)
        }
    }
}
