// What the page says, in three languages; names of classes stay as they are.

const WORDS = {
  en: {
    language: "English", title: "What is in the picture?", predict: "Predict", teach: "Teach it here",
    network: "Network", drop: "Drop pictures here", paste: "or paste them", pick: "Choose pictures",
    photo: "Take a photo", looking: "predicting …", where: "Where does it look?", picture: "The picture",
    alike: "Similar pictures", imagenet: "Among ImageNet’s 1,000 classes", taught: "My classes",
    intro: "Name two or more classes, add about twenty pictures to each, and press Train.",
    here: () => "Your pictures stay on this computer, in a temporary folder. ",
    there: (host) => `Your pictures are sent to the computer that serves this page (${host}), which trains on `
      + "them and keeps them in a temporary folder. ",
    limits: (most) => "They are deleted when you press Forget everything, when the server stops, and when this page "
      + `has been closed for ${number(most.unused / 60)} minutes. Up to ${number(most.lessons)} people can teach at `
      + `the same time, each up to ${number(most.classes)} classes with ${number(most.pictures)} pictures, `
      + `${number(most.bytes / 2 ** 30)} GB in total.`,
    token: "Token", more: "Add a class", name: "Class name", hold: "Camera",
    add: "Add pictures", drop_picture: "Remove this picture",
    count: (n) => (n === 1 ? "1 picture" : `${n} pictures`), train: "Train", download: "Download the run",
    forget: "Forget everything", try: "Try it", camera: "Camera", shutter: "Take photo",
    shutter_held: "Hold to take many", close: "Close", taken: (n) => (n === 1 ? "1 taken" : `${n} taken`),
    no_camera: "This page cannot use a camera.",
    need: "Training needs two or more classes, each with its own name and at least two pictures.",
    enough: "Ready to train.",
    sending: (n) => (n === 1 ? "Uploading 1 picture …" : `Uploading ${number(n)} pictures …`),
    training: "Training …",
    epoch: (n, right, of) => `Training: after epoch ${n}, ${number(right)} of ${number(of)} pictures are `
      + "correct in cross-validation.",
    ready: (right, of, low, high, seconds) => `Trained in ${number(seconds)} seconds. ${number(right)} of `
      + `${number(of)} pictures are correct in cross-validation; expect an accuracy of ${low} to ${high} on similar pictures. `
      + "Try it! Pictures that you add are learned at once.",
    failed: (n, names) => `${n === 1 ? "1 picture was" : `${number(n)} pictures were`} not uploaded (${names}).`,
    again: "Try again", full: "No more classes can be added.", folders: "Add folders as classes",
    left_out: (n) => (n === 1 ? "1 file was skipped because it is not a picture."
      : `${number(n)} files were skipped because they are not pictures.`),
    validation: "validation", own: "training", offline: "The server does not respond.",
    not_kept: (file, reason) => `${file}: ${reason}`, kept_back: "Accuracy by epoch",
  },
  de: {
    language: "Deutsch", title: "Was ist auf dem Bild?", predict: "Erkennen", teach: "Hier anlernen",
    network: "Netz", drop: "Bilder hier ablegen", paste: "oder einfügen", pick: "Bilder wählen",
    photo: "Foto aufnehmen", looking: "wird erkannt …", where: "Wohin schaut es?", picture: "Das Bild",
    alike: "Ähnliche Bilder", imagenet: "Unter den 1.000 Klassen von ImageNet", taught: "Meine Klassen",
    intro: "Benenne zwei oder mehr Klassen, füge jeder etwa zwanzig Bilder hinzu und drücke Trainieren.",
    here: () => "Deine Bilder bleiben auf diesem Rechner, in einem temporären Ordner. ",
    there: (host) => `Deine Bilder werden an den Rechner gesendet, der diese Seite bereitstellt (${host}). Er trainiert `
      + "mit ihnen und speichert sie in einem temporären Ordner. ",
    limits: (most) => "Sie werden gelöscht, wenn du Alles vergessen drückst, wenn der Server beendet wird und wenn "
      + `diese Seite ${number(most.unused / 60)} Minuten geschlossen war. Bis zu ${number(most.lessons)} Personen können `
      + `gleichzeitig anlernen, jede bis zu ${number(most.classes)} Klassen mit ${number(most.pictures)} Bildern, `
      + `insgesamt ${number(most.bytes / 2 ** 30)} GB.`,
    token: "Token", more: "Klasse hinzufügen", name: "Klassenname", hold: "Kamera",
    add: "Bilder hinzufügen", drop_picture: "Dieses Bild entfernen",
    count: (n) => (n === 1 ? "1 Bild" : `${n} Bilder`), train: "Trainieren", download: "Lauf herunterladen",
    forget: "Alles vergessen", try: "Ausprobieren", camera: "Kamera", shutter: "Aufnehmen",
    shutter_held: "Gedrückt halten für mehrere", close: "Schließen", taken: (n) => `${n} aufgenommen`,
    no_camera: "Diese Seite kann keine Kamera verwenden.",
    need: "Zum Trainieren sind mindestens zwei Klassen nötig, jede mit eigenem Namen und mindestens zwei Bildern.",
    enough: "Bereit zum Trainieren.", training: "Das Training läuft …",
    sending: (n) => (n === 1 ? "1 Bild wird hochgeladen …" : `${number(n)} Bilder werden hochgeladen …`),
    epoch: (n, right, of) => `Das Training läuft: Nach Epoche ${n} sind ${number(right)} von ${number(of)} `
      + "Bildern in der Kreuzvalidierung richtig erkannt.",
    ready: (right, of, low, high, seconds) => `In ${number(seconds)} Sekunden trainiert. ${number(right)} von `
      + `${number(of)} Bildern sind in der Kreuzvalidierung richtig erkannt; bei ähnlichen Bildern ist eine Genauigkeit von ${low} `
      + `bis ${high} zu erwarten. Probier es aus! Neue Bilder werden sofort gelernt.`,
    failed: (n, names) => `${n === 1 ? "1 Bild wurde" : `${number(n)} Bilder wurden`} nicht hochgeladen (${names}).`,
    again: "Erneut versuchen", full: "Weitere Klassen sind nicht möglich.", folders: "Ordner als Klassen hinzufügen",
    left_out: (n) => (n === 1 ? "1 Datei wurde übersprungen, weil sie kein Bild ist."
      : `${number(n)} Dateien wurden übersprungen, weil sie keine Bilder sind.`),
    validation: "Validierung", own: "Training", offline: "Der Server antwortet nicht.",
    not_kept: (file, reason) => `${file}: ${reason}`, kept_back: "Genauigkeit je Epoche",
  },
  zh: {
    language: "中文", title: "图片里是什么？", predict: "识别", teach: "在这里训练",
    network: "模型", drop: "把图片拖到这里", paste: "或者粘贴", pick: "选择图片", photo: "拍照",
    looking: "正在识别……", where: "它关注哪里？", picture: "原图", alike: "相似图片",
    imagenet: "在 ImageNet 的 1,000 类中", taught: "我的类别",
    intro: "为两个或更多类别命名，每类添加约二十张图片，然后按“训练”。",
    here: () => "您的图片只保存在这台电脑的临时文件夹里。",
    there: (host) => `您的图片会发送到提供此页面的电脑（${host}），用于训练，并保存在它的临时文件夹里。`,
    limits: (most) => `按“全部清除”、服务器停止，或此页面关闭 ${number(most.unused / 60)} 分钟后，图片会被删除。`
      + `最多 ${number(most.lessons)} 人可以同时训练，每人最多 ${number(most.classes)} 类、`
      + `${number(most.pictures)} 张图片，共 ${number(most.bytes / 2 ** 30)} GB。`,
    token: "令牌", more: "添加类别", name: "类别名称", hold: "摄像头", add: "添加图片", drop_picture: "删除这张图片",
    count: (n) => `${n} 张图片`, train: "训练", download: "下载训练结果", forget: "全部清除", try: "试一试",
    camera: "摄像头", shutter: "拍摄", shutter_held: "按住连拍", close: "关闭", taken: (n) => `已拍 ${n} 张`,
    no_camera: "此页面无法使用摄像头。",
    need: "训练需要至少两个类别，每类要有不同的名称和至少两张图片。", enough: "可以训练了。",
    sending: (n) => `正在上传 ${n} 张图片……`, training: "正在训练……",
    epoch: (n, right, of) => `正在训练：第 ${n} 轮后，交叉验证的 ${number(of)} 张图片中有 ${number(right)} 张预测正确。`,
    ready: (right, of, low, high, seconds) => `训练用时 ${number(seconds)} 秒，交叉验证的 ${number(of)} 张图片中有 `
      + `${number(right)} 张预测正确；对类似图片的准确率预计为 ${low} 到 ${high}。试一试吧！新添加的图片会立即学习。`,
    failed: (n, names) => `有 ${number(n)} 张图片未能上传（${names}）。`,
    again: "重试", full: "无法再添加类别。", folders: "把文件夹添加为类别",
    left_out: (n) => `已跳过 ${number(n)} 个不是图片的文件。`,
    validation: "验证", own: "训练", offline: "服务器没有响应。",
    not_kept: (file, reason) => `${file}：${reason}`, kept_back: "每一轮的准确率",
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
