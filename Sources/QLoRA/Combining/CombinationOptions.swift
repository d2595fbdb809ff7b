/// How adapters are combined into one (`add_weighted_adapter` of PEFT).
public struct CombinationOptions: Sendable, Hashable {
    /// The ways to combine.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The factors of all, one beside the other: exact.
        case cat
        /// Factors added, `A` and `B` apart: cross terms come with it.
        case linear
        /// Changes of the weight added, and the nearest of a rank taken.
        case svd
        /// Factors pruned by magnitude, a sign elected, those of that sign averaged (Yadav et al. 2023).
        case ties
        /// The same of changes of the weight.
        case tiesSVD = "ties_svd"
        /// Elements of factors dropped at random, the rest rescaled, added (Yu et al. 2023).
        case dareLinear = "dare_linear"
        /// Dropped as before, then a sign elected.
        case dareTies = "dare_ties"
        /// `dare_linear` of changes of the weight.
        case dareLinearSVD = "dare_linear_svd"
        /// `dare_ties` of changes of the weight.
        case dareTiesSVD = "dare_ties_svd"
        /// Factors pruned by magnitude, and added.
        case magnitudePrune = "magnitude_prune"
        /// The same of changes of the weight.
        case magnitudePruneSVD = "magnitude_prune_svd"
    }

    /// How a sign is elected.
    public enum MajoritySign: String, Sendable, Hashable, CaseIterable {
        /// That of the sum.
        case total
        /// That of most.
        case frequency
    }

    /// The way to combine.
    public var kind: Kind
    /// The share of elements that is kept, from 0 to 1; only pruning and dropping have it.
    public var density: Double?
    /// How a sign is elected.
    public var majoritySign = MajoritySign.total
    /// The rank of the result of an `svd` kind; nil means the largest of the sources.
    public var rank: Int?
    /// Clamps factors of an `svd` kind at this quantile of their values, from 0 to 1.
    public var clamp: Double?
    /// Decides what is dropped.
    public var seed: UInt64 = 0

    /// Makes options.
    public init(_ kind: Kind, density: Double? = nil) {
        self.kind = kind
        self.density = density
    }
}

extension CombinationOptions.Kind {
    /// Whether it works on changes of the weight.
    var isSVD: Bool {
        switch self {
        case .svd, .tiesSVD, .dareLinearSVD, .dareTiesSVD, .magnitudePruneSVD: true
        case .cat, .linear, .ties, .dareLinear, .dareTies, .magnitudePrune: false
        }
    }

    /// Whether it keeps a share of the elements.
    var needsDensity: Bool { prunes || drops }

    /// Whether it keeps the largest.
    var prunes: Bool {
        switch self {
        case .ties, .tiesSVD, .magnitudePrune, .magnitudePruneSVD: true
        default: false
        }
    }

    /// Whether it keeps some at random.
    var drops: Bool {
        switch self {
        case .dareLinear, .dareTies, .dareLinearSVD, .dareTiesSVD: true
        default: false
        }
    }

    /// Whether it elects a sign.
    var elects: Bool {
        switch self {
        case .ties, .tiesSVD, .dareTies, .dareTiesSVD: true
        default: false
        }
    }
}
