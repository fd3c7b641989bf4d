"""Drawn faces: whoever draws them gets the pictures that others have measured with."""

import base64

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.drawings import draw_faces

# Of 16 × 16 squares of each, row after row, the mean grey, a byte each.
SQUARES = {
    "cat.0": (
        "ptyj6hL4)2vcAdE*W2CSdx3s|hK`w~vAxL9)!EzKdwhO^hlQb}u)D?0($?77e0_j}h<%l;uerj>$*j}V"
        "et?05jewfIzP`S@fR@b7f`f#Hm$SaUzP`S^fu_L0hKGoWqrH=%zP`D;wz9Iai;IkmvAuJdzPw&}zO166"
        "kB^XztG&LyzP^&CzM+wkl$4W@rK+g7qrASow~T>-n3$K5l(Mz4t+k)0qjPd{oST}Mm7u)7ytuxnacE~|"
        "o}HVSmXMI3r=p8#V_{%kpPrnWmXL{ncyMTAUtC*Spr4(ZmXL^mcW!22Tv=FFpr4+bmyn2mc5P)|T31$8"
    ),
    "cat.1": (
        "DJ(BFK1^M4gqNwezs1SSEG{xULQP+Bg_)*_a(AW6FEmC;NlsyOhM9+PadC0AHb6>ANJ?aOh?;kBadB~+"
        "KSfGOLq%nFi<41nadB~{PEbopLPtqSQ&2i<adCyhVPj-eNl8daNJ&7Mps2sWc6WG9XkS%HPDn_Zx4OH$"
        "i;RIuS6fa<SyD-nw6?dmp`eUMNJvdeNlZwQv9hzXv$LL7L`6?bMMp}YudlDK!otF*PDn;aM@4z5t*xxA"
        "%gf5iv2ILCU6H4$t*ff4($Ue+&B?^QySAZ*m8z+!*45P0(9Fley{&6$XqBj_+1S_B($C4my`gAmXo#q&"
    ),
    "dog.0": (
        "p`oCko|~AIkc^3jgn(ygqM@Llo|~7GkBf+fgMxN+qM~$pl5LQUg@lEJfq;L0qob0MSWRhqdU|_*etdg+"
        "q@$vPOiXHodV6|$XK8hHrKF>8O-zq{fPRH(OiyiWr>CWBO;3xNdx$|~Oif~8s;Q@eO=*04dwqjWOior+"
        "tgEP{lz@sRF@ADPOiM{fudS-4pputgSCV;7N<ck3u&=DApqGw>mz7~cIyN&fvaqeFpp}o1i*7|aGA$}7"
        "v$3tHpp=AxW>G;kEhr=+v$3wJp_GJkU`{?VDkLEuw6d<Lp_GJjUrjwQCn6pkw6d?Mp_7AgUQ0VKCLkRe"
    ),
    "dog.1": (
        "kBy9qhJku>Yh_(nRZ~z;j*W|ohJku>Y-C<oRZ~$>jf;wjg@1W-Y-V3tS5;F|jEjkfgn@{Ti+pBhT2)h1"
        "iHL}UgN%-jkB)F>WLH&IhlYY`aEy+QhF523Xj@rWgoAr%XmwPIel}=nX<=Mle}H>vXKY=JkB)_CX=Pzx"
        "e1U&zXl{>*Q*oDcXlG?*eu05@X>*czBVetCYHDg~dVqm|b9k4oqo}NaZf<UFae94taCd#Dpq-v`aB*>Q"
        "Zf<XQqOGc#pOJWTa&vNWZEbFzt*))CmW6V2b98faZEbF>t*x!Cose{Nb#!!dZEb9%t*x%DnU8aHb#!!e"
    ),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    draw_faces(folder, per_class=2)
    return folder


@pytest.mark.parametrize("name", SQUARES)
def test_the_same_seed_draws_the_same_faces_everywhere(drawn, name):
    grey = np.asarray(Image.open(drawn / f"{name}.jpg").convert("L"), "f8")
    assert grey.shape == (256, 256)
    found = grey.reshape(16, 16, 16, 16).mean(axis=(1, 3))
    expected = np.frombuffer(base64.b85decode(SQUARES[name]), np.uint8).reshape(16, 16)
    assert np.abs(found - expected).max() < 1  # a byte is half off, and JPEG's libraries differ


def test_another_seed_draws_others(drawn, tmp_path):
    draw_faces(tmp_path, per_class=1, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.0.jpg", "dog.0.jpg"]
    ours, theirs = (np.asarray(Image.open(each / "cat.0.jpg"), int) for each in (tmp_path, drawn))
    assert np.abs(ours - theirs).mean() > 10
