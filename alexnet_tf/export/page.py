"""HTML: the page of ``serve`` in one file, which predicts in a browser, without a server.

In place of the page's ``server.js`` is one that runs the network, as ONNX with int8 weights, by
ONNX Runtime's WebAssembly. Both are in the file. Its Content-Security-Policy allows no connection,
and no script but its own.
"""

import gzip
import json
import lzma
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from alexnet_tf.export import onnx
from alexnet_tf.export.network import ExportedNetwork

PAGE = Path(__file__).parents[1] / "serving" / "page"
BROWSER = Path(__file__).with_name("browser")
RUNTIME, WEBASSEMBLY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
POLICY = (
    "default-src 'none'; script-src '{}' 'wasm-unsafe-eval'; style-src '{}';"
    " img-src blob: data:; media-src blob:; base-uri 'none'; form-action 'none'"
)
# What only a server can do, or say.
LEFT_OUT = re.compile(r'<section id="teach".*?</section>\n|<noscript>.*?</noscript>\n', re.DOTALL)
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(.+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function\*?) (\w+))", re.MULTILINE)
MINIFIED = re.compile(r"([$\w]+) as (\w+)")


def write(path: Path, network: ExportedNetwork) -> None:
    """Write the network as a ``.html``."""
    script = _bundled("page.js", {"": "const modules = {};\n"})
    style, icon = (PAGE / "style.css").read_text("utf-8"), _base64((PAGE / "icon.svg").read_bytes())
    policy = POLICY.format(_digest(script), _digest(style))
    model = onnx.onnx_model(network, int8=True).SerializeToString()
    parts = {
        "<head>\n": f"<head>\n<!--\n{(BROWSER / 'LICENSE').read_text('utf-8')}-->\n"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        "page/icon.svg": f"data:image/svg+xml;base64,{icon}",
        '<link rel="stylesheet" href="page/style.css">': f"<style>{style}</style>",
        '<script type="module" src="page/page.js"></script>\n': "",
        "</body>": _data("responses", json.dumps(_responses(network)).replace("<", "\\u003c"))
        + _data("model", _base64(gzip.compress(model)))
        + _data("runtime", _base64(gzip.compress(_unpacked(WEBASSEMBLY))))
        + f'<script type="module">{script}</script>\n</body>',
    }
    html = LEFT_OUT.sub("", (PAGE / "index.html").read_text("utf-8"))
    for old, new in parts.items():
        html = html.replace(old, new)
    path.write_bytes(html.encode())


def predict(path: Path, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Predict pictures, each uint8 RGB (H, W, 3), by the ONNX in a page: float32 (n, classes)."""
    (model,) = re.findall(r'id="model">(.*?)<', path.read_text("utf-8"))
    return onnx.predict(gzip.decompress(b64decode(model)), pictures)


def _bundled(name: str, written: dict[str, str]) -> str:
    """Join a module of the page, and those that it imports before it, into one: each becomes a
    function that returns what the module exports. `written` is added to."""
    source = _module(name)
    for _, other in IMPORT.findall(source):
        if other not in written:
            _bundled(other, written)
    exported = ", ".join(EXPORT.findall(source))
    source = IMPORT.sub(
        lambda found: f'const {{{found[1].replace(" as ", ": ")}}} = modules["{found[2]}"];',
        EXPORT.sub("", source),
    )
    written[name] = (
        f'modules["{name}"] = await (async () => {{\n{source}\nreturn {{ {exported} }};\n}})();\n'
    )
    return "".join(written.values())


def _module(name: str) -> str:
    """Read a module: from `BROWSER`, if it is there, or else from `PAGE`."""
    if name != RUNTIME:
        places = (BROWSER / name, PAGE / name)
        return next(filter(Path.exists, places)).read_text("utf-8")
    # It looks for its files beside its address, unless that is a blob's.
    source, names = (
        _unpacked(RUNTIME).decode().replace("import.meta.url", '"blob:"').split("export{")
    )
    return source + "return {" + MINIFIED.sub(r"\2: \1", names)


def _responses(network: ExportedNetwork) -> dict[str, object]:
    """Return what `server.js` knows: the server's responses, the classes, and a picture's size."""
    languages = sorted(PAGE.glob("languages/*.json"))
    about = {
        "networks": [{"name": ""}],
        "languages": [path.stem for path in languages],
        "alone": True,
        "most_pictures": 1,
        "most_bytes": 1 << 40,
    }
    words = {f"page/languages/{path.name}": json.loads(path.read_bytes()) for path in languages}
    return {
        "responses": {"v1/networks": about, **words},
        "classes": network.classes,
        "least": 2 * network.cut.resized,
    }


def _unpacked(name: str) -> bytes:
    return lzma.decompress((BROWSER / f"{name}.xz").read_bytes())


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _digest(text: str) -> str:
    """Return a script's or a style's hash as a Content-Security-Policy has it."""
    return f"sha256-{_base64(sha256(text.encode()).digest())}"


def _data(name: str, text: str) -> str:
    return f'<script type="text/plain" id="{name}">{text}</script>\n'
