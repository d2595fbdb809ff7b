public import CheckpointIO

/// The configuration of an adapter, as PEFT's `adapter_config.json` has it.
///
/// Each field names its key in the file. What the file may hold beyond that changes nothing, or is
/// refused.
public struct LoRAConfig: Sendable, Equatable {
    /// `r`: the rank, at least 1.
    public var rank: Int
    /// `lora_alpha`.
    public var alpha: Double
    /// `rank_pattern`: other ranks of single modules.
    public var rankPattern = PatternTable<Int>()
    /// `alpha_pattern`: other alphas of single modules.
    public var alphaPattern = PatternTable<Double>()
    /// `use_rslora`: whether the scaling is `alpha / √r` in place of `alpha / r`.
    public var usesRSLoRA = false
    /// `use_dora`: whether adapters have a magnitude.
    public var usesDoRA = false
    /// `lora_bias`: whether `B` has a bias.
    public var hasLoRABias = false
    /// `fan_in_fan_out`: what the last adapted layer needed; layers know their own order.
    public var fanInFanOut = false
    /// `target_modules`; nil for the default of the model's type.
    public var targetModules: ModuleNames?
    /// `exclude_modules`.
    public var excludedModules: ModuleNames?
    /// `layers_to_transform`: the indices of the layers; empty means all.
    public var layersToTransform: [Int] = []
    /// `layers_pattern`: patterns of what stands before a layer's index.
    public var layersPattern: [String] = []
    /// `modules_to_save`: modules that are stored whole.
    public var modulesToSave: [String] = []
    /// `trainable_token_indices`: rows of embeddings that are stored.
    public var trainableTokens: TrainableTokens?
    /// `ensure_weight_tying`.
    public var ensuresWeightTying = false
    /// `layer_replication`: ranges of layers that make up a new stack; empty means none.
    public var layerReplication: [Range<Int>] = []
    /// `bias`: which biases of the base belong to the adapter.
    public var bias = BiasMode.none
    /// `lora_dropout`: from 0 to 1.
    public var dropout = 0.0
    /// `init_lora_weights`: how the factors began.
    public var initialization = Initialization.kaiming
    /// `task_type`: nil, or `CAUSAL_LM`.
    public var taskType: String?
    /// `base_model_name_or_path`: what the base was called; never opened.
    public var baseModel: String?
    /// `revision` of the base.
    public var revision: String?
    /// `peft_version` of the writer.
    public var writerVersion: String?
    /// Members that change no number, kept as they are: configurations of initialisations, and
    /// `auto_mapping`.
    public var otherMembers = JSONObject()

    /// Makes the configuration of a plain adapter.
    public init(rank: Int = 8, alpha: Double = 8, targetModules: ModuleNames? = nil) {
        self.rank = rank
        self.alpha = alpha
        self.targetModules = targetModules
    }

    /// Modules by name: a list of endings, or one pattern.
    public enum ModuleNames: Sendable, Hashable {
        /// Each entry is a module's name or the end of it, behind a dot.
        case list([String])
        /// A regular expression, as Python reads it, of the whole name.
        case pattern(String)
        /// All linear layers but the output head.
        case allLinear
    }

    /// Rows of embeddings.
    public enum TrainableTokens: Sendable, Hashable {
        /// Of the input embedding.
        case inputEmbedding([Int])
        /// Of the modules whose names end so.
        case modules([String: [Int]])
    }

    /// Biases of the base that belong to an adapter.
    public enum BiasMode: String, Sendable, Hashable {
        case none
        case all
        /// Those of adapted modules.
        case adapted = "lora_only"
    }

    /// Returns `alpha / r`, or with rsLoRA `alpha / √r`.
    public func scaling(rank: Int, alpha: Double) -> Double {
        alpha / (usesRSLoRA ? Double(rank).squareRoot() : Double(rank))
    }
}
