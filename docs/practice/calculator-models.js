/* Dimensions of the models that candidates are asked about. Held against the transformers classes by the tests. */

/**
 * A decoder. `biased`: q, k and v have biases (Qwen2). `normed`: q and k are normalised per head (Qwen3).
 * `frozen` and `projectors`: parameters outside the language model that full fine-tuning leaves frozen or trains.
 * @typedef {{
 *   vocab: number, hidden: number, intermediate: number, layers: number, heads: number, kvHeads: number, headDim: number,
 *   tied: boolean, biased?: boolean, normed?: boolean, frozen?: number, projectors?: number,
 * }} Dims
 */

/** @type {Dims} */
const GEMMA_2B = {
  vocab: 256_000, hidden: 2048, intermediate: 16_384, layers: 18, heads: 8, kvHeads: 1, headDim: 256, tied: true,
};

/** @type {Record<string, Dims>} */
export const MODELS = {
  "mgm-2b": { ...GEMMA_2B, frozen: 499_734_720, projectors: 13_259_008 },
  "gemma-2b": GEMMA_2B,
  "llama-3.2-3b": {
    vocab: 128_256, hidden: 3072, intermediate: 8192, layers: 28, heads: 24, kvHeads: 8, headDim: 128, tied: true,
  },
  "llama-2-7b": {
    vocab: 32_000, hidden: 4096, intermediate: 11_008, layers: 32, heads: 32, kvHeads: 32, headDim: 128, tied: false,
  },
  "mistral-7b": {
    vocab: 32_000, hidden: 4096, intermediate: 14_336, layers: 32, heads: 32, kvHeads: 8, headDim: 128, tied: false,
  },
  "qwen2.5-7b": {
    vocab: 152_064, hidden: 3584, intermediate: 18_944, layers: 28, heads: 28, kvHeads: 4, headDim: 128, tied: false, biased: true,
  },
  "llama-3.1-8b": {
    vocab: 128_256, hidden: 4096, intermediate: 14_336, layers: 32, heads: 32, kvHeads: 8, headDim: 128, tied: false,
  },
  "qwen3-8b": {
    vocab: 151_936, hidden: 4096, intermediate: 12_288, layers: 36, heads: 32, kvHeads: 8, headDim: 128, tied: false, normed: true,
  },
};

/** As people write them. @type {Record<string, string>} */
export const NAMES = {
  "mgm-2b": "MGM-2B",
  "gemma-2b": "Gemma-2B",
  "llama-3.2-3b": "Llama-3.2-3B",
  "llama-2-7b": "Llama-2-7B",
  "mistral-7b": "Mistral-7B",
  "qwen2.5-7b": "Qwen2.5-7B",
  "llama-3.1-8b": "Llama-3.1-8B",
  "qwen3-8b": "Qwen3-8B",
};
