#!/usr/bin/env python3
"""Writes a zoo of N model cards, the same bytes for the same N: what the benchmarks of large zoos read.

    python3 benches/make_cards.py N FOLDER

The cards are like those of an SDK: most describe one detector or classifier, some with a template, some with a
TOML of `configs/`, some with inline settings, one in twelve a cascade of two models. They lie in folders of about 50.
No weights and images are written: nothing can be built, everything can be read, checked and resolved.
"""

import sys
from pathlib import Path

SIZES = [224, 256, 320, 416, 512, 640]
SCHEMES = ["per_tensor_histogram", "per_tensor_min_max"]

TEMPLATE = """\
input:
  type: image
preprocess:
  - letterbox:
      width: {{input_width}}
      height: {{input_height}}
      scaleup: True
  - torch-totensor:
postprocess:
  - decodeyolo:
      box_format: xywh # of the model's output
      normalized_coord: False
      label_filter: {{label_filter}}
      max_nms_boxes: 30000
      conf_threshold: {{conf_threshold:0.25}}
      nms_iou_threshold: 0.45
"""


def detections(index, task, model, region_of=None):
    """A task with a detector; every third takes the template."""
    source = f"""
        source: roi
        where: {region_of}
        which: AREA # AREA, SCORE, CENTER
        top_k: 10""" if region_of else ""
    if index % 3 == 0:
        steps = f"""
      template_path: $AXELERA_FRAMEWORK/pipeline-template/letterbox.yaml
      input:
        type: image{source}"""
    else:
        steps = f"""
      input:
        type: image{source}
      preprocess:
        - letterbox:
            height: ${{{{input_height}}}}
            width: ${{{{input_width}}}}
            scaleup: true
        - torch-totensor:"""
    return f"""\
  - {task}:
      model_name: {model}{steps}
      postprocess:
        - decodeyolo:
            box_format: xywh
            normalized_coord: False
            label_filter: ${{{{label_filter}}}}
            max_nms_boxes: 30000
            conf_threshold: 0.25
            nms_iou_threshold: 0.45
            nms_class_agnostic: True
            nms_top_k: 300
            use_multi_label: False
            eval: # while accuracy is measured
              conf_threshold: 0.001
              nms_iou_threshold: 0.65
              use_multi_label: True
"""


def model(index, name, cores):
    """An entry of `models:`; settings come from a TOML, from the card, from both, or not at all."""
    size = SIZES[index % len(SIZES)]
    settings = f"      aipu_cores: {cores}\n" if cores else ""
    if index % 4 in (1, 3):
        settings += f"      compiler_config_file: tuned-{index % 7}.toml # found in configs/\n"
    if index % 4 in (2, 3):
        settings += f"""\
      compilation_config:
        quantization_scheme: {SCHEMES[index % 2]}
        tiling_depth: {1 + index % 6}
"""
    if index % 5 == 0:
        settings += """\
      m2:
        mvm_limitation: 57
"""
    return f"""\
  {name}:
    class: AxONNXModel
    class_path: $AXELERA_FRAMEWORK/ax_models/base_onnx.py
    weight_path: weights/{name}.onnx
    weight_url: https://models.example/weights/{name}.onnx
    weight_md5: {index * 2654435761 % 2**32:08x}{index:024x}
    task_category: ObjectDetection
    input_tensor_layout: NCHW
    input_tensor_shape: [1, 3, {size}, {size}]
    input_color_format: RGB # RGB, BGR, GRAY
    num_classes: 80
    dataset: CocoDataset-COCO2017
    extra_kwargs:
      num_cal_images: {100 + index % 5 * 50}
      YOLO:
        anchors: # in pixels of the input
        - [10,13, 16,30, 33,23]
        - [30,61, 62,45, 59,119]
        - [116,90, 156,198, 373,326]
        strides: [8, 16, 32]
{settings}"""


def card(index):
    name = f"net-{index:05d}-coco-onnx"
    if index % 12 == 7:
        tasks = detections(index, "master_detections", f"{name}-first")
        tasks += detections(index + 1, "parts", f"{name}-second", "master_detections")
        models = model(index, f"{name}-first", 3) + model(index + 1, f"{name}-second", 1)
        kind = "two models, the second on regions of the first"
    else:
        tasks = detections(index, "detections", name)
        models = model(index, name, 0)
        kind = "one detector, anchor free"
    return f"""\
axelera-model-format: 1.0.0

name: {name}

description: Card {index} of a made zoo, {kind}

pipeline:
{tasks}
operators:
  decodeyolo:
    class: DecodeYolo
    class_path: $AXELERA_FRAMEWORK/ax_models/decoders/yolo.py

models:
{models}
datasets:
  CocoDataset-COCO2017:
    class: ObjDataAdapter
    class_path: $AXELERA_FRAMEWORK/ax_datasets/objdataadapter.py
    data_dir_name: coco
    labels_path: $AXELERA_FRAMEWORK/ax_datasets/labels/coco.names
    label_type: COCO2017
    repr_imgs_dir_path: $AXELERA_FRAMEWORK/data/coco2017_400
    repr_imgs_url: https://models.example/data/coco2017_repr400.zip
    repr_imgs_md5: b680128512392586e3c86b670886d9fa
"""


def main():
    if len(sys.argv) != 3 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    count, root = int(sys.argv[1]), Path(sys.argv[2])
    files = {"axzoo.toml": "[zoo]\ncards = [\"model_cards\"]\n", "pipeline-template/letterbox.yaml": TEMPLATE}
    for index in range(7):
        files[f"configs/tuned-{index}.toml"] = (
            f"# Settings {index} of a made zoo.\naipu_cores_used = 1\nresources_used = 0.25\ntiling_depth = {index + 1}\n"
        )
    for index in range(count):
        files[f"model_cards/family-{index // 50:03d}/net-{index:05d}.yaml"] = card(index)
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


main()
