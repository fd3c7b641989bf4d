// What the page says, in three languages; names of classes stay as they are.

const WORDS = {
  en: {
    language: "English", title: "What does it show?", ask: "Ask", teach: "Teach it here",
    network: "Who answers", drop: "Drop pictures here", paste: "or paste them", pick: "Choose pictures",
    photo: "Take a photo", looking: "looking …", where: "Where does it look?", picture: "The picture",
    alike: "What looks like it?", imagenet: "Of ImageNet’s 1,000 classes", taught: "What I taught it",
    intro: "Name two things or more, give some twenty pictures of each, and press Train.",
    here: () => "Your pictures stay on this computer, in a temporary folder. ",
    there: (host) => `Your pictures are sent to the computer that serves this page (${host}), which learns from `
      + "them and keeps them in a temporary folder. ",
    limits: (most) => "They are deleted when you press Forget everything, when the server ends, and when this page "
      + `has been closed for ${number(most.unused / 60)} minutes. At once ${number(most.lessons)} people can teach, `
      + `each at most ${number(most.classes)} classes with ${number(most.pictures)} pictures, in all `
      + `${number(most.bytes / 2 ** 30)} GB.`,
    token: "Token", more: "Add a class", name: "Name of the class", hold: "Camera",
    add: "Add pictures", drop_picture: "Remove this picture",
    count: (n) => (n === 1 ? "1 picture" : `${n} pictures`), train: "Train", download: "Download the run",
    forget: "Forget everything", try: "Try it", camera: "Camera", shutter: "Take it",
    shutter_held: "Hold to take many", close: "Close", taken: (n) => (n === 1 ? "1 taken" : `${n} taken`),
    no_camera: "There is no camera that this page may use.",
    need: "It takes two classes or more, each with a name of its own and two pictures or more.",
    enough: "Ready to train.",
    sending: (n) => (n === 1 ? "1 picture is on its way …" : `${number(n)} pictures are on their way …`),
    training: "It is learning …",
    epoch: (n, right, of) => `It is learning: after round ${n} it is right about ${number(right)} of the `
      + `${number(of)} pictures kept back.`,
    ready: (right, of, low, high, seconds) => `It has learned, in ${number(seconds)} seconds, and is right about `
      + `${number(right)} of the ${number(of)} pictures kept back: of others like them about ${low} to ${high}. Try it!`,
    failed: (n, names) => `${n === 1 ? "1 picture" : `${number(n)} pictures`} did not arrive (${names}).`,
    again: "Try again", full: "There are as many classes as there can be.", folders: "Add folders as classes",
    left_out: (n) => (n === 1 ? "1 file that is no picture is left out."
      : `${number(n)} files that are no pictures are left out.`),
    validation: "kept back", own: "learned from", offline: "The server does not answer.",
    not_kept: (file, reason) => `${file}: ${reason}`, kept_back: "accuracy, round by round",
  },
  de: {
    language: "Deutsch", title: "Was ist darauf?", ask: "Fragen", teach: "Hier anlernen",
    network: "Wer antwortet", drop: "Bilder hier ablegen", paste: "oder einfügen", pick: "Bilder wählen",
    photo: "Foto aufnehmen", looking: "schaut …", where: "Wohin schaut es?", picture: "Das Bild",
    alike: "Was sieht ähnlich aus?", imagenet: "Von ImageNets 1.000 Klassen", taught: "Was ich ihm beibrachte",
    intro: "Nenne zwei Dinge oder mehr, gib von jedem etwa zwanzig Bilder und drücke Lernen.",
    here: () => "Deine Bilder bleiben auf diesem Rechner, in einem vorläufigen Ordner. ",
    there: (host) => `Deine Bilder gehen an den Rechner, von dem diese Seite kommt (${host}); er lernt aus ihnen `
      + "und behält sie in einem vorläufigen Ordner. ",
    limits: (most) => "Gelöscht werden sie, wenn du Alles vergessen drückst, wenn der Server endet und wenn diese "
      + `Seite ${number(most.unused / 60)} Minuten geschlossen war. Zugleich können ${number(most.lessons)} Leute `
      + `anlernen, jeder höchstens ${number(most.classes)} Klassen mit ${number(most.pictures)} Bildern, zusammen `
      + `${number(most.bytes / 2 ** 30)} GB.`,
    token: "Token", more: "Klasse hinzufügen", name: "Name der Klasse", hold: "Kamera",
    add: "Bilder dazu", drop_picture: "Dieses Bild entfernen",
    count: (n) => (n === 1 ? "1 Bild" : `${n} Bilder`), train: "Lernen", download: "Lauf herunterladen",
    forget: "Alles vergessen", try: "Ausprobieren", camera: "Kamera", shutter: "Aufnehmen",
    shutter_held: "Halten für viele", close: "Schließen", taken: (n) => `${n} aufgenommen`,
    no_camera: "Es gibt keine Kamera, die diese Seite benutzen darf.",
    need: "Es braucht zwei Klassen oder mehr, jede mit eigenem Namen und mindestens zwei Bildern.",
    enough: "Bereit zu lernen.", training: "Es lernt …",
    sending: (n) => (n === 1 ? "1 Bild ist unterwegs …" : `${number(n)} Bilder sind unterwegs …`),
    epoch: (n, right, of) => `Es lernt: nach Runde ${n} stimmen ${number(right)} der ${number(of)} `
      + "zurückgehaltenen Bilder.",
    ready: (right, of, low, high, seconds) => `Es hat gelernt, in ${number(seconds)} Sekunden; ${number(right)} der `
      + `${number(of)} zurückgehaltenen Bilder stimmen, von anderen wie diesen etwa ${low} bis ${high}. Probier es aus!`,
    failed: (n, names) => `${n === 1 ? "1 Bild" : `${number(n)} Bilder`} kamen nicht an (${names}).`,
    again: "Noch einmal", full: "Mehr Klassen können es nicht sein.", folders: "Ordner als Klassen dazu",
    left_out: (n) => (n === 1 ? "1 Datei, die kein Bild ist, bleibt weg."
      : `${number(n)} Dateien, die keine Bilder sind, bleiben weg.`),
    validation: "zurückgehalten", own: "gelernt", offline: "Der Server antwortet nicht.",
    not_kept: (file, reason) => `${file}: ${reason}`, kept_back: "Genauigkeit, Runde für Runde",
  },
  zh: {
    language: "中文", title: "图片里是什么？", ask: "识别", teach: "在这里教它",
    network: "由谁回答", drop: "把图片拖到这里", paste: "或者粘贴", pick: "选择图片", photo: "拍照",
    looking: "正在看……", where: "它在看哪里？", picture: "原图", alike: "哪些图片相似？",
    imagenet: "在 ImageNet 的 1,000 类中", taught: "我教的",
    intro: "写下两类或更多事物的名称，每类给二十张左右的图片，然后按“训练”。",
    here: () => "您的图片只保存在这台电脑的临时文件夹里。",
    there: (host) => `您的图片会发送到提供此页面的电脑（${host}），由它学习并保存在它的临时文件夹里。`,
    limits: (most) => `按“全部忘记”、服务器结束、或此页面关闭 ${number(most.unused / 60)} 分钟后，图片会被删除。`
      + `最多 ${number(most.lessons)} 人可以同时教，每人最多 ${number(most.classes)} 类、`
      + `${number(most.pictures)} 张图片，共 ${number(most.bytes / 2 ** 30)} GB。`,
    token: "令牌", more: "添加一类", name: "类别名称", hold: "摄像头", add: "添加图片", drop_picture: "删除这张图片", count: (n) => `${n} 张图片`, train: "训练",
    download: "下载训练结果", forget: "全部忘记", try: "试一试", camera: "摄像头", shutter: "拍摄",
    shutter_held: "按住连拍", close: "关闭", taken: (n) => `已拍 ${n} 张`,
    no_camera: "没有此页面可以使用的摄像头。",
    need: "需要两类或更多，每类要有不同的名称和至少两张图片。", enough: "可以训练了。",
    sending: (n) => `正在上传 ${n} 张图片……`, training: "正在学习……",
    epoch: (n, right, of) => `正在学习：第 ${n} 轮后，${number(of)} 张预留图片中答对 ${number(right)} 张。`,
    ready: (right, of, low, high, seconds) => `用 ${number(seconds)} 秒学会了，${number(of)} 张预留图片中答对 `
      + `${number(right)} 张；对其他类似图片约为 ${low} 到 ${high}。试一试吧！`,
    failed: (n, names) => `有 ${number(n)} 张图片没有送达（${names}）。`,
    again: "再试一次", full: "类别已经达到上限。", folders: "把文件夹添加为类别",
    left_out: (n) => `${number(n)} 个不是图片的文件被略过。`,
    validation: "预留的图片", own: "学习的图片", offline: "服务器没有回应。",
    not_kept: (file, reason) => `${file}：${reason}`, kept_back: "每一轮的正确率",
  },
};

let language = "en";

// Return what is said under a key, in the language chosen.
export function say(key, ...values) {
  const words = WORDS[language][key];
  return typeof words === "function" ? words(...values) : words;
}

const number = (value) => new Intl.NumberFormat(language).format(value);

// Return a share of 0 to 1 as people write it; 0% and 100% are exactly that.
export function percent(share) {
  const digits = share > 0.99 || share < 0.1 ? 1 : 0;
  const most = 10 ** (2 + digits);
  const rounded = Math.round(share * most) / most;
  const [shown, sign] = rounded === 0 && share > 0 ? [1 / most, "<"]
    : rounded === 1 && share < 1 ? [1 - 1 / most, ">"] : [rounded, ""];
  return sign + new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits }).format(shown);
}

// Offer the languages, choose the reader's, and call `changed` whenever another is chosen.
export function offerLanguages(select, changed) {
  for (const [key, words] of Object.entries(WORDS)) select.append(new Option(words.language, key));
  const known = (name) => Object.keys(WORDS).find((key) => name.toLowerCase().startsWith(key));
  const choose = (key) => {
    language = select.value = key;
    keep(key);
    document.documentElement.lang = key;
    document.title = say("title");
    for (const each of document.querySelectorAll("[data-words]")) each.textContent = say(each.dataset.words);
    for (const each of document.querySelectorAll("[data-label]"))
      each.setAttribute("aria-label", say(each.dataset.label));
    changed();
  };
  select.addEventListener("change", () => choose(select.value));
  choose(kept() ?? navigator.languages.map(known).find(Boolean) ?? "en");
}

// A browser may forbid a page to keep anything.
function keep(key) {
  try { localStorage.setItem("language", key); } catch { /* it is asked for again */ }
}

function kept() {
  try { return Object.keys(WORDS).find((key) => key === localStorage.getItem("language")); } catch { return undefined; }
}
