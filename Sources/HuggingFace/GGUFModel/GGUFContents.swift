internal import Containers
internal import Files

extension CheckpointContents {
    /// Interprets a GGUF file: weights in Hugging Face's names and order, `config.json`, and the
    /// tokenizer as the files that belong to it.
    init(gguf source: any ByteSource, options: Checkpoint.Options) throws(CheckpointError) {
        let file = try GGUFFile(source: source)
        let model = try GGUFModel(file: file)
        self.init(
            name: source.fileName,
            container: .gguf,
            tensors: model.tensors,
            configuration: model.configuration
        )
        preferredDType = model.preferredDType
        warnings = file.warnings
        try GGUFVocabulary.check(file, vocabularySize: model.config.vocabularySize)
        companions = [companion("generation_config.json", try model.config.generationConfig())]
        if options.readsTokenizer {
            if let tokenizer = try GGUFTokenizer(config: model.config) {
                companions += tokenizer.companions
                warnings += try tokenizer.warnings
            }
        }
        companions.sort { $0.name < $1.name }
    }
}
