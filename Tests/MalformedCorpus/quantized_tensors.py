"""Cases for make_malformed.py --extra: one NF4 linear, sound or damaged, as kept in the golden data.

The files are those of Tests/TestSupport/Golden/loader_cases; this adds what has to be said of each.
"""
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "..", "TestSupport", "Golden")

# The codes that are right for a defect; by default what the part at fault suggests.
CODES = {
    "absmax_too_short": ["quant.absmax", "quant.shape"], "absmax_too_long": ["quant.absmax", "quant.shape"],
    "absmax_bf16_2d_transposed": ["quant.absmax"], "absmax_negative": ["quant.absmax"], "absmax_nan": ["quant.absmax"],
    "blocksize_disagrees": ["quant.absmax", "quant.state", "quant.shape"],
    "absmax_missing": ["quant.absmax", "quant.state"], "quant_map_missing": ["quant.map", "quant.state"],
    "quant_map_differs_from_table": ["quant.map"], "quant_map_8_entries": ["quant.map"],
    "packed_too_short": ["quant.shape"], "packed_too_long": ["quant.shape"],
    "shape_product_mismatch": ["quant.shape", "quant.state"], "shape_negative": ["quant.shape", "quant.state", "json.number"],
    "shape_three_dims": ["quant.shape", "quant.state"],
    "nested_keys_missing": ["quant.absmax", "quant.state", "quant.map"], "nested_offset_missing": ["quant.state", "quant.absmax", "json.missingKey"],
    "nested_offset_nan": ["quant.absmax", "quant.state", "json.syntax"], "nested_blocksize_128": ["quant.state", "quant.absmax"],
    "nested_absmax_u8_without_nested": ["quant.absmax", "quant.state"], "nested_map_unsorted": ["quant.map"],
}
STATE = ["quant.state", "json.syntax", "json.type", "json.number", "json.missingKey", "quant.unsupported"]
NEEDS_VALUES = {"absmax_negative", "absmax_nan", "quant_map_differs_from_table", "nested_map_unsorted", "nested_offset_nan"}


def extra(w):
    with open(os.path.join(GOLDEN, "loader_cases.json")) as f:
        cases = json.load(f)["cases"]
    for case in cases:
        with open(os.path.join(GOLDEN, case["file"]), "rb") as f:
            data = f.read()
        verdict = case["recommended"]
        codes = CODES.get(case["id"], STATE) if verdict == "reject" else [None]
        w.file("quantized", case["id"], ".safetensors", data, verdict, codes[0], also=codes[1:] or None,
               tensor="layer" if verdict == "reject" else None, stage="data" if case["id"] in NEEDS_VALUES else "header" if verdict == "reject" else None,
               why=case["reference_loader"], exits=[65, 69] if "unsupported" in " ".join(filter(None, codes)) else None)
