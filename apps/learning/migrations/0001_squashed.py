import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from ._triggers import SQL, UNDO


class Migration(migrations.Migration):

    replaces = [
        ('learning', '0001_initial'),
        ('learning', '0002_holdout_wall'),
        ('learning', '0003_trainable'),
        ('learning', '0004_one_live_run'),
        ('learning', '0005_watermarks'),
        ('learning', '0006_task_kinds'),
        ('learning', '0007_trainable_values'),
        ('learning', '0008_asked_runtime'),
        ('learning', '0009_flip_review'),
        ('learning', '0010_users_voices'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('annotation', '0001_squashed'),
        ('content', '0001_squashed'),
        ('feedback', '0001_squashed'),
        ('projects', '0001_squashed'),
        ('registry', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='Trainable',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='content.item')),
                ('value', models.JSONField(null=True)),
                ('changed_at', models.DateTimeField()),
                ('text_hash', models.BinaryField()),
            ],
            options={
                'db_table': 'learning_trainable',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='Encoding',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('encoder', models.CharField(blank=True, max_length=300)),
                ('encoder_digest', models.CharField(blank=True, max_length=64)),
                ('through_item', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('done', models.BigIntegerField(default=0)),
                ('rate', models.FloatField(null=True)),
                ('asked_runtime', models.CharField(default='auto', max_length=10)),
                ('runtime', models.CharField(blank=True, max_length=16)),
                ('parity', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('asked_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='FlipReview',
            fields=[
                ('deployment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='registry.deployment')),
                ('flips', models.PositiveIntegerField(default=0)),
                ('items', models.JSONField(default=list)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='LiveHead',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('revision', models.PositiveIntegerField(default=0)),
                ('encoder_digest', models.CharField(blank=True, max_length=64)),
                ('weights', models.BinaryField(null=True)),
                ('label_order', models.JSONField(default=list)),
                ('n_labels', models.PositiveIntegerField(default=0)),
                ('fitted_through', models.DateTimeField(null=True)),
                ('fitted_at', models.DateTimeField(null=True)),
                ('seconds', models.FloatField(null=True)),
                ('seen_through', models.BigIntegerField(default=0)),
                ('timing', models.JSONField(default=dict)),
                ('stability', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Repredict',
            fields=[
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='registry.modelversion')),
                ('wanted_pool', models.BooleanField(default=False)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hash', models.CharField(max_length=64)),
                ('n_items', models.PositiveIntegerField()),
                ('checks', models.JSONField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='TrainingRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('head', 'Published head'), ('transformer', 'Fine-tuned transformer'), ('search', 'Search for the best settings'), ('onnx', 'Export to ONNX'), ('prune', 'Pruning'), ('distil', 'Distillation'), ('ensemble', 'Ensemble of versions')], max_length=16)),
                ('config', models.JSONField(default=dict)),
                ('seed', models.PositiveIntegerField(default=0)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('cancelling', 'cancelling'), ('cancelled', 'cancelled'), ('failed', 'failed'), ('succeeded', 'succeeded'), ('refused', 'refused')], default='queued', max_length=10)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('progress', models.FloatField(default=0)),
                ('curve', models.JSONField(default=list)),
                ('log_tail', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='projects.project')),
                ('snapshot', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='learning.snapshot')),
                ('version', models.OneToOneField(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='run', to='registry.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['queued', 'running', 'cancelling'])), fields=('project',), name='run_one_live_per_project')],
            },
        ),
        migrations.CreateModel(
            name='SearchTrial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('params', models.JSONField(default=dict)),
                ('value', models.FloatField(null=True)),
                ('state', models.CharField(max_length=16)),
                ('seconds', models.FloatField(null=True)),
                ('curve', models.JSONField(default=list)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='trials', to='learning.trainingrun')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'number'), name='search_trial_once')],
            },
        ),
        migrations.CreateModel(
            name='CurvePoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('n_labels', models.PositiveIntegerField()),
                ('n_holdout', models.PositiveIntegerField()),
                ('measure', models.CharField(default='accuracy', max_length=16)),
                ('accuracy', models.FloatField()),
                ('low', models.FloatField()),
                ('high', models.FloatField()),
                ('macro_f1', models.FloatField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'revision'), name='curve_point_once')],
            },
        ),
        migrations.CreateModel(
            name='Evaluation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('holdout_hash', models.CharField(max_length=64)),
                ('n', models.PositiveIntegerField()),
                ('metrics', models.JSONField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evaluations', to='registry.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('version', 'holdout_hash'), name='evaluation_once')],
            },
        ),
        migrations.CreateModel(
            name='SamplingRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('strategy', models.CharField(max_length=30)),
                ('n', models.PositiveIntegerField()),
                ('reasons', models.JSONField(default=dict)),
                ('labels_so_far', models.PositiveIntegerField()),
                ('pool', models.PositiveIntegerField()),
                ('seconds', models.FloatField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'revision'), name='sampling_round_once')],
            },
        ),
        migrations.CreateModel(
            name='SnapshotRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('split', models.CharField(default='pool', max_length=8)),
                ('value', models.JSONField(null=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='content.item')),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('snapshot', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='learning.snapshot')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('snapshot', 'item'), name='snapshot_item_once'), models.CheckConstraint(condition=models.Q(('label__isnull', False), ('value__isnull', False), _connector='XOR'), name='snapshot_label_or_value'), models.CheckConstraint(condition=models.Q(('split', 'pool')), name='snapshot_never_holdout')],
            },
        ),
        migrations.CreateModel(
            name='SnapshotWeak',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text_hash', models.BinaryField(max_length=32)),
                ('voices', models.JSONField()),
                ('signal', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='feedback.signal')),
                ('snapshot', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='weak', to='learning.snapshot')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('snapshot', 'text_hash'), name='weak_text_once')],
            },
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
