/// The modules of a base model by their dotted names, without adapters: what selection works on.
public struct ModuleTree: Sendable {
    /// What a module is, as far as adapters go.
    public enum Kind: Sendable, Hashable {
        /// `[N, K]` outputs by inputs, whatever its order in files.
        case linear
        /// GPT-2's linear layer, whose float weight is stored `[K, N]`.
        case convolution1D
        /// A look-up table `[rows, columns]`.
        case embedding
        /// A convolution; its weight has more than two dimensions.
        case convolution
        /// Anything else, by the name of its type: no adapter goes there.
        case other(String)
    }

    /// One module.
    public struct Module: Sendable, Hashable {
        /// The dotted name.
        public let name: String
        /// What it is.
        public let kind: Kind
        /// The shape of its weight, a linear layer's always `[N, K]`; empty if it has none.
        public let shape: [Int]
        /// The number of its biases; nil if it has none, or if that is not known.
        public let biasCount: Int?

        /// Describes a module.
        public init(_ name: String, _ kind: Kind, shape: [Int] = [], biasCount: Int? = nil) {
            self.name = name
            self.kind = kind
            self.shape = shape
            self.biasCount = biasCount
        }
    }

    /// The modules in the order of the network.
    public let modules: [Module]
    /// The names of modules that hold others, such as `model.layers.0.mlp`.
    public let containers: Set<String>
    /// The input embedding.
    public let inputEmbedding: String?
    /// The layer that makes the logits, stored or not.
    public let outputHead: String?
    /// Whether it shares its weight with the input embedding.
    public let tiesHead: Bool
    /// `model_type` of the model's configuration.
    public let modelType: String?
    private let positions: [String: Int]

    /// Makes a tree; containers follow from the names.
    public init(
        _ modules: [Module],
        inputEmbedding: String? = nil,
        outputHead: String? = nil,
        tiesHead: Bool = false,
        modelType: String? = nil
    ) {
        self.modules = modules
        self.inputEmbedding = inputEmbedding
        self.outputHead = outputHead
        self.tiesHead = tiesHead
        self.modelType = modelType
        var containers: Set<String> = []
        var positions: [String: Int] = [:]
        for (index, module) in modules.enumerated() {
            positions[module.name] = index
            var rest = Substring(module.name)
            while let dot = rest.lastIndex(of: ".") {
                rest = rest[..<dot]
                guard containers.insert(String(rest)).inserted else { break }
            }
        }
        self.containers = containers
        self.positions = positions
    }

    /// The module with a name.
    public subscript(name: String) -> Module? { positions[name].map { modules[$0] } }

    /// The names nearest to one that is not there, for suggestions.
    func nearest(to name: String, count: Int = 3) -> [String] {
        let last = name.split(separator: ".").last.map(String.init) ?? name
        var endings: [String] = []
        for module in modules {
            let ending = module.name.split(separator: ".").last.map(String.init) ?? module.name
            if case .other = module.kind { continue }
            if !endings.contains(ending) { endings.append(ending) }
        }
        return Array(
            endings.map { ($0, Self.distance(last, $0)) }.sorted { $0.1 < $1.1 }.prefix(count)
                .map(\.0)
        )
    }

    /// The number of letters to insert, remove or replace.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var row = Array(0...right.count)
        for (i, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
