/* What the calculator says around its numbers, in both languages. */

const zh = {
  model: "模型", own: "自己填尺寸", dims: "尺寸", vocab: "词表", hidden: "隐藏宽度", intermediate: "MLP 宽度", layers: "层数", heads: "注意力头",
  kvHeads: "KV 头", headDim: "头维度", tied: "输入输出共享词嵌入",
  method: "方法", rank: "秩 r", bottleneck: "瓶颈宽度", tokens: "虚拟 token 数", targets: "挂在哪些层",
  "only-qv": "只挂 q、v", attention: "注意力四个", all: "全部七个",
  training: "一步怎么训", batch: "batch", length: "长度 T", adapter: "适配器精度", float32: "fp32（默认）", bfloat16: "bf16",
  optimizer: "AdamW 实现", checkpointing: "激活检查点", logits: "logits", whole: "全部位置", selected: "只算有监督的", positions: "每行几个位置", card: "显卡",
  trainable: "训练的参数", share: "占基座", file: "适配器文件", "model-file": "模型文件（bf16）", base: "基座共", parameters: "参数",
  how: "参数怎么数的", formula: "算式", "how-memory": "峰值怎么算的", moment: "这一步最高的时刻在{n}。",
  letters: "L 层数，h 隐藏宽度，f MLP 宽度，q、k 注意力和 KV 的总宽，heads 头数，d 头维度，V 词表，B 行数，T 长度，S 有 logits 的位置，r 秩，P 训练的参数，N 全部参数，Nₗ 线性层参数，big 最大的可训张量。系数以字节计，从逐步追踪里一项一项读出来。",
  forward: "前向", loss: "算损失时", backward_start: "反向开头", backward_end: "反向末尾", picture: "图像编码", update: "优化器更新",
  memory: "一步的峰值显存", part: "部分", bytes: "大小", budget: "这张卡能用",
  weights_frozen: "冻结的权重", weights_trainable: "训练的权重", gradients: "梯度", optimizer_part: "优化器状态", activations: "激活", logits_part: "logits",
  temporaries: "临时量", free: "还空着", total: "合计",
  fits: "放得下", "too-large": "放不下", say: "面试时这么说", "other-language": "英文怎么说", share_link: "复制链接", copied: "已复制", "link-hint": "地址栏里带着全部设置，复制给别人就是同一个结果。",
  refused: "地址里这几项看不懂，用了默认值：{n}",
  "no-targets": "至少选一个要挂的层。", "size-too-small": "至少是 {n}。", "rank-too-large": "秩不能超过 {n}：所选矩阵里最窄的一边只有这么宽。",
  "bottleneck-too-large": "瓶颈要小于宽度，最多 {n}。", "no-biases": "这个模型没有 bias，BitFit 没有东西可训。", "bad-number": "这里要填 1 到 {n} 之间的整数。",
  headsFault: "注意力头数要是 KV 头数的整数倍。", headDimFault: "头维度要是偶数。",
  "no-closed-form": "{n}的峰值没有闭式：参数照样精确，峰值请用 lora-demo predict 逐步追踪。",
  "length-too-short": "MGM-2B 的长度把 576 个图像位置也算在内，至少 {n}。",
  drill: "三十秒心算", "drill-intro": "不看上面的计算器，限时三十秒，误差在 15% 以内算过。题目由编号决定，同一个编号人人一样。", begin: "开始计时", next: "换一题", number: "题号",
  guess: "你的答案", check: "对答案", close: "可以，差 {n}。", off: "差了 {n}。", answer: "答案", "time-up": "三十秒到了，先报一个数。", seconds: "剩 {n} 秒", "no-guess": "先填一个大于零的数。",
  score: "答了 {n}",
  embedding: "词嵌入", output: "输出层", norms: "norm 增益", biases: "bias", prefix: "前缀的 K 和 V", prompt: "软提示", projectors: "投影层和挖掘", towers: "两个视觉塔（冻结）",
};

/** @type {typeof zh} */
const en = {
  model: "Model", own: "own dimensions", dims: "Dimensions", vocab: "Vocabulary", hidden: "Hidden width", intermediate: "MLP width", layers: "Layers", heads: "Attention heads",
  kvHeads: "KV heads", headDim: "Head dimension", tied: "input and output share one embedding",
  method: "Method", rank: "Rank r", bottleneck: "Bottleneck width", tokens: "Virtual tokens", targets: "Attached to",
  "only-qv": "q and v", attention: "the four of attention", all: "all seven",
  training: "One training step", batch: "Batch", length: "Length T", adapter: "Adapter precision", float32: "fp32 (default)", bfloat16: "bf16",
  optimizer: "AdamW implementation", checkpointing: "Activation checkpointing", logits: "Logits", whole: "all positions", selected: "supervised only", positions: "positions per row", card: "Card",
  trainable: "Trained parameters", share: "of the base", file: "Adapter file", "model-file": "Model file (bf16)", base: "Base in all", parameters: "parameters",
  how: "Where the count comes from", formula: "Formula", "how-memory": "Where the peak comes from", moment: "The step is highest {n}.",
  letters: "L layers, h hidden width, f MLP width, q and k the widths of all heads and of all KV heads, heads their number, d head dimension, V vocabulary, B rows, T length, S positions with logits, r rank, P trained parameters, N all parameters, Nₗ those of the linear layers, big the largest trained tensor. Factors are bytes, read off a traced step term by term.",
  forward: "in the forward pass", loss: "at the loss", backward_start: "as the backward pass begins", backward_end: "as the backward pass ends", picture: "while the picture is encoded", update: "at the optimizer's update",
  memory: "Peak memory of a step", part: "Part", bytes: "Size", budget: "This card offers",
  weights_frozen: "Frozen weights", weights_trainable: "Trained weights", gradients: "Gradients", optimizer_part: "Optimizer state", activations: "Activations", logits_part: "Logits",
  temporaries: "Temporaries", free: "Free", total: "Total",
  fits: "fits", "too-large": "does not fit", say: "How to say it", "other-language": "In Chinese", share_link: "Copy link", copied: "Copied", "link-hint": "The address holds every setting: send it, and others see the same result.",
  refused: "These parts of the address made no sense and were replaced by defaults: {n}",
  "no-targets": "Choose at least one layer to attach to.", "size-too-small": "At least {n}.", "rank-too-large": "The rank cannot exceed {n}: the chosen matrices are no wider on their narrow side.",
  "bottleneck-too-large": "The bottleneck must stay below the width: {n} at most.", "no-biases": "This model has no biases, so BitFit has nothing to train.", "bad-number": "A whole number from 1 to {n}, please.",
  headsFault: "Attention heads must be a multiple of KV heads.", headDimFault: "The head dimension must be even.",
  "no-closed-form": "There is no closed form of the peak for {n}. The count above is exact all the same; for the peak, trace a step with lora-demo predict.",
  "length-too-short": "MGM-2B's length counts the 576 image positions too: at least {n}.",
  drill: "Thirty seconds in your head", "drill-intro": "Without the calculator above: thirty seconds, and within 15% counts. A number decides the question, and the same number gives everybody the same one.", begin: "Start the clock", next: "Another one", number: "Question no.",
  guess: "Your answer", check: "Check", close: "Good enough, off by {n}.", off: "Off by {n}.", answer: "Answer", "time-up": "Thirty seconds are over: say a number.", seconds: "{n} s left", "no-guess": "Enter a number above zero first.",
  score: "answered: {n}",
  embedding: "embedding", output: "output layer", norms: "norm gains", biases: "biases", prefix: "keys and values of the prefix", prompt: "soft prompt", projectors: "projectors and mining", towers: "two vision towers (frozen)",
};

export const WORDS = { zh, en };
/** @typedef {keyof typeof zh} Word */
/** @typedef {(word: Word, n?: string | number) => string} Say */

/** Method names as people write them. @type {Record<import("./calculator-counts.js").Method, Record<"zh" | "en", string>>} */
export const METHOD_NAMES = {
  full: { zh: "全参微调", en: "Full fine-tuning" },
  lora: { zh: "LoRA", en: "LoRA" },
  qlora: { zh: "QLoRA（NF4 基座）", en: "QLoRA (NF4 base)" },
  dora: { zh: "DoRA", en: "DoRA" },
  pissa: { zh: "PiSSA", en: "PiSSA" },
  adalora: { zh: "AdaLoRA", en: "AdaLoRA" },
  ia3: { zh: "IA³", en: "IA³" },
  adapter: { zh: "Adapter（瓶颈）", en: "Adapter (bottleneck)" },
  prefix: { zh: "Prefix Tuning", en: "Prefix tuning" },
  prompt: { zh: "Prompt Tuning", en: "Prompt tuning" },
  bitfit: { zh: "BitFit（只训 bias）", en: "BitFit (biases only)" },
  layernorm: { zh: "只训 norm", en: "Norm gains only" },
};
