internal import Files

extension GGUFTokenizer {
    /// `tokenizer_config.json`.
    var tokenizerConfig: JSONObject {
        var json: JSONObject = [
            "add_bos_token": .bool(addsBeginning),
            "add_eos_token": .bool(addsEnd),
            "added_tokens_decoder": .object(
                JSONObject(
                    addedTokens.map { token in
                        (
                            Name("\(token.id)"),
                            [
                                "content": .string(vocabulary.text(of: token.id)),
                                "lstrip": false, "normalized": false, "rstrip": false,
                                "single_word": false, "special": .bool(token.isSpecial),
                            ]
                        )
                    }
                )
            ),
        ]
        for (name, text) in namedTokens { json[name] = .string(text) }
        if let chatTemplate { json["chat_template"] = .string(chatTemplate) }
        json["clean_up_tokenization_spaces"] = false
        json["model_max_length"] = .integer(contextLength)
        json["tokenizer_class"] = "PreTrainedTokenizerFast"
        return json
    }

    /// `special_tokens_map.json`.
    var specialTokensMap: JSONObject {
        JSONObject(namedTokens.map { ($0, .string($1)) })
    }

    /// The files of the tokenizer.
    var companions: [Checkpoint.Companion] {
        var companions = [
            companion("special_tokens_map.json", specialTokensMap),
            companion("tokenizer_config.json", tokenizerConfig),
            companion("tokenizer.json", tokenizerJSON),
        ]
        if let chatTemplate {
            companions.append(companion("chat_template.jinja", Array(chatTemplate.utf8)))
        }
        return companions
    }
}

extension GGUFConfig {
    /// `generation_config.json`: the ids that begin, end and pad a text.
    func generationConfig() throws(CheckpointError) -> JSONObject {
        var json: JSONObject = ["_from_model_config": true]
        for (key, source) in GGUFConfig.tokenIDs {
            if let id = try tokenID(source) { json[key] = .integer(id) }
        }
        // Chat models end a turn with another token than a text.
        if let end = try tokenID("tokenizer.ggml.eos_token_id"),
            let endOfTurn = try tokenID("tokenizer.ggml.eot_token_id"), end != endOfTurn
        {
            json["eos_token_id"] = .array([.integer(end), .integer(endOfTurn)])
        }
        return json
    }
}

/// Makes a file of an object.
func companion(_ name: Name, _ json: JSONObject) -> Checkpoint.Companion {
    companion(name, Array((json.text(.indented) + "\n").utf8))
}

/// Makes a file of bytes.
private func companion(_ name: Name, _ bytes: [UInt8]) -> Checkpoint.Companion {
    Checkpoint.Companion(name: name, source: BytesInMemory(bytes, fileName: name.text))
}
